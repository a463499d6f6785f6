// What the bot says in the admin room, as outbox rows.
#include "core/log.hpp"
#include "core/text.hpp"
#include "room/admin_room.hpp"

namespace steward::room {

namespace asio = boost::asio;
using core::Code;
using core::EventId;
using core::Result;
using core::RoomId;
using matrix::Envelope;
using matrix::Message;

namespace {

constexpr const char* message_type = "m.room.message";

std::string cut(const std::string& line, std::size_t code_points) {
  std::u32string text = core::to_code_points(line);
  if (text.size() <= code_points) return line;
  text.resize(code_points);
  return core::from_code_points(text) + "…";
}

// The beginning of a text that is too long for one event, and a last line that says where the rest is.
Message beginning_of(const std::string& text, std::string rest) {
  constexpr std::size_t most_lines = 14;
  constexpr std::size_t most_characters = 300;
  std::vector<std::string> shown;
  for (const std::string& line : core::split(text, '\n')) {
    if (shown.size() == most_lines) break;
    shown.push_back(cut(line, most_characters));
  }
  Message message;
  message.lines(shown);
  message.paragraph(std::move(rest));
  return message;
}

}  // namespace

// An announced successor takes what is said from now on: the outbox keeps it until we are in.
Result<RoomId> AdminRoom::place_to_speak() const {
  if (!successor_.empty()) return successor_;
  return place_of_events();
}

// Edits and reactions stay with the event they are about.
Result<RoomId> AdminRoom::place_of_events() const {
  if (id_.empty()) return core::fail(Code::not_allowed, "There is no admin room", why_);
  if (facts_.encrypted) return core::fail(Code::not_allowed, "The bot cannot speak in its admin room", why_);
  return id_;
}

asio::awaitable<Result<void>> AdminRoom::say(std::string cause, Message message, Envelope envelope) {
  auto room = place_to_speak();
  if (!room) co_return std::unexpected(room.error());
  std::string content = matrix::message_content(message, envelope);
  if (matrix::fits_in_event(content)) {
    co_return co_await outbox_.post(std::move(cause), std::move(*room), message_type, std::move(content));
  }
  const std::string text = message.plain_body();
  content = matrix::message_content(beginning_of(text, "The whole text is in the file below."), envelope);
  auto posted = co_await outbox_.post(cause, std::move(*room), message_type, std::move(content));
  if (!posted) co_return posted;
  co_return co_await attach_whole_text(std::move(cause), text, std::move(envelope));
}

asio::awaitable<Result<EventId>> AdminRoom::say_and_wait(std::string cause, Message message, Envelope envelope,
                                                         std::chrono::milliseconds limit) {
  auto said = co_await say(cause, std::move(message), std::move(envelope));
  if (!said) co_return std::unexpected(said.error());
  co_return co_await sent(std::move(cause), limit);
}

asio::awaitable<Result<EventId>> AdminRoom::sent(std::string cause, std::chrono::milliseconds limit) { return outbox_.wait_for(std::move(cause), limit); }

asio::awaitable<Result<void>> AdminRoom::edit(std::string cause, Message message, Envelope envelope, EventId edited) {
  auto room = place_of_events();
  if (!room) co_return std::unexpected(room.error());
  std::string content = matrix::edit_content(message, envelope, edited);
  if (!matrix::fits_in_event(content)) {
    const Message shorter = beginning_of(message.plain_body(), "Cut here: the text is too long for one message.");
    content = matrix::edit_content(shorter, envelope, edited);
  }
  co_return co_await outbox_.post(std::move(cause), std::move(*room), message_type, std::move(content));
}

asio::awaitable<Result<void>> AdminRoom::react(std::string cause, EventId target, std::string key) {
  auto room = place_of_events();
  if (!room) co_return std::unexpected(room.error());
  std::string content = matrix::reaction_content(target, key);
  co_return co_await outbox_.post(std::move(cause), std::move(*room), "m.reaction", std::move(content));
}

asio::awaitable<Result<void>> AdminRoom::redact(std::string cause, EventId target, std::string reason) {
  auto room = place_of_events();
  if (!room) co_return std::unexpected(room.error());
  std::string content = matrix::redaction_content(target, reason);
  co_return co_await outbox_.post(std::move(cause), std::move(*room), "m.room.redaction", std::move(content));
}

asio::awaitable<Result<void>> AdminRoom::send_file(std::string cause, std::string name, std::string mimetype, std::string data,
                                                   std::string caption, Envelope envelope) {
  matrix::FileInfo file;
  file.name = std::move(name);
  file.mimetype = std::move(mimetype);
  file.caption = std::move(caption);
  co_return co_await upload_and_post(std::move(cause), std::move(file), std::move(data), std::move(envelope));
}

asio::awaitable<Result<void>> AdminRoom::send_picture(std::string cause, std::string name, std::string data, int width, int height,
                                                      std::string caption, Envelope envelope) {
  matrix::FileInfo picture;
  picture.name = std::move(name);
  picture.mimetype = "image/png";
  picture.caption = std::move(caption);
  picture.width = width;
  picture.height = height;
  co_return co_await upload_and_post(std::move(cause), std::move(picture), std::move(data), std::move(envelope));
}

asio::awaitable<Result<void>> AdminRoom::upload_and_post(std::string cause, matrix::FileInfo file, std::string data, Envelope envelope) {
  auto room = place_to_speak();
  if (!room) co_return std::unexpected(room.error());
  file.size = data.size();
  auto uploaded = co_await client_.upload(file.name, file.mimetype, std::move(data));
  if (!uploaded) co_return std::unexpected(uploaded.error());
  file.mxc = std::move(*uploaded);
  auto noted = co_await settings_.add_upload(file.mxc, file.name);
  if (!noted) core::log_warning("room", "an upload was not noted, it stays on the server: {}", describe(noted.error()));
  co_return co_await outbox_.post(std::move(cause), std::move(*room), message_type, matrix::file_content(file, envelope));
}

// The first part promised a file: when it cannot be uploaded, the room is told so.
asio::awaitable<Result<void>> AdminRoom::attach_whole_text(std::string cause, std::string text, Envelope envelope) {
  envelope.mentions.clear();  // the first part has rung already
  auto sent = co_await send_file(cause + ":file", "answer.txt", "text/plain", std::move(text), "", envelope);
  if (sent) co_return sent;
  core::log_warning("room", "the file of a long text could not be sent: {}", describe(sent.error()));
  Message message;
  message.paragraph("The file could not be uploaded: " + sent.error().what + ".");
  co_return co_await say(cause + ":file", std::move(message), std::move(envelope));
}

}  // namespace steward::room
