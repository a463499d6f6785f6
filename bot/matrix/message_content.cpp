#include <nlohmann/json.hpp>

#include "matrix/event_json.hpp"
#include "matrix/message.hpp"

namespace steward::matrix {

using nlohmann::json;

namespace {

// Of the 65 536 bytes of an event, what its own fields may need: ten previous events, ten auth events, a long room id,
// sender and server name, hashes and a signature (facts: about 570 bytes in a quiet room, 1 500 in a forked one).
constexpr std::size_t largest_content = 64'000;

json mentions_of(const std::vector<core::UserId>& users) {
  // Present even when empty: without the key the old rule rings whoever's name stands in the text (facts §3.2).
  json mentions = json::object();
  for (const core::UserId& user : users) mentions["user_ids"].push_back(user.str());
  return mentions;
}

json text_of(const Message& message, const Envelope& envelope) {
  json content = json::object();
  content["msgtype"] = envelope.notice ? "m.notice" : "m.text";
  content["body"] = message.plain_body();
  content["format"] = "org.matrix.custom.html";
  content["formatted_body"] = message.html_body();
  content["m.mentions"] = mentions_of(envelope.mentions);
  return content;
}

void relate(json& content, const Envelope& envelope) {
  const core::EventId& reply_to = envelope.reply_to.empty() ? envelope.thread : envelope.reply_to;
  if (reply_to.empty()) return;
  json relation = json::object();
  relation["m.in_reply_to"]["event_id"] = reply_to.str();
  if (!envelope.thread.empty()) {
    relation["rel_type"] = "m.thread";
    relation["event_id"] = envelope.thread.str();
    relation["is_falling_back"] = true;
  }
  content["m.relates_to"] = std::move(relation);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

std::string message_content(const Message& message, const Envelope& envelope) {
  json content = text_of(message, envelope);
  relate(content, envelope);
  return compact(content);
}

std::string edit_content(const Message& message, const Envelope& envelope, const core::EventId& edited) {
  json content = json::object();
  json replacement = text_of(message, envelope);
  content["msgtype"] = replacement["msgtype"];
  // Only for clients that know no edits; the whole text twice would halve what fits.
  content["body"] = "* " + first_line(replacement["body"].get<std::string>());
  content["m.mentions"] = json::object();  // an edit never rings; the replacement says whom the message names
  content["m.new_content"] = std::move(replacement);
  content["m.relates_to"]["rel_type"] = "m.replace";
  content["m.relates_to"]["event_id"] = edited.str();
  return compact(content);
}

std::string redaction_content(const core::EventId& target, std::string_view reason) {
  json content = json::object();
  content["redacts"] = target.str();
  content["reason"] = std::string(reason);
  return compact(content);
}

std::string reaction_content(const core::EventId& target, std::string_view key) {
  json content = json::object();
  json& relation = content["m.relates_to"];
  relation["rel_type"] = "m.annotation";
  relation["event_id"] = target.str();
  relation["key"] = std::string(key);
  return compact(content);
}

std::string file_content(const FileInfo& file, const Envelope& envelope) {
  json content = json::object();
  const bool picture = file.width > 0 && file.height > 0;
  content["msgtype"] = picture ? "m.image" : "m.file";
  content["body"] = file.caption.empty() ? file.name : file.caption;
  content["filename"] = file.name;
  content["url"] = file.mxc;
  content["info"]["mimetype"] = file.mimetype;
  content["info"]["size"] = file.size;
  if (picture) {
    content["info"]["w"] = file.width;
    content["info"]["h"] = file.height;
  }
  content["m.mentions"] = mentions_of(envelope.mentions);
  relate(content, envelope);
  return compact(content);
}

bool fits_in_event(std::string_view content) { return content.size() <= largest_content; }

}  // namespace steward::matrix
