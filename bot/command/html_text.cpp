#include "command/html_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.hpp"

namespace steward::command {
namespace {

std::string decode_entity(std::string_view name) {
  struct Entity {
    std::string_view name, text;
  };
  constexpr std::array<Entity, 7> known{
      {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}, {"#39", "'"}}};
  for (const Entity& entity : known)
    if (entity.name == name) return std::string(entity.text);
  if (!name.starts_with('#')) return {};
  const bool hex = name.size() > 2 && (name[1] == 'x' || name[1] == 'X');
  const std::string_view digits = name.substr(hex ? 2 : 1);
  std::uint32_t code = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
  if (digits.empty() || problem != std::errc{} || end != digits.data() + digits.size()) return {};
  const char32_t point =
      code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0xfffd : static_cast<char32_t>(code);
  return core::from_code_points(std::u32string_view(&point, 1));
}

std::string decode_entities(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    if (text.front() == '&') {
      const auto end = text.substr(0, 12).find(';');
      const std::string character =
          end == std::string_view::npos ? std::string() : decode_entity(text.substr(1, end - 1));
      if (!character.empty()) {
        decoded += character;
        text.remove_prefix(end + 1);
        continue;
      }
    }
    decoded += text.front();
    text.remove_prefix(1);
  }
  return decoded;
}

// The value of href in the inside of a tag: `a href="…" title=…`.
std::string href_of(std::string_view tag) {
  const std::string lower = core::to_lower_ascii(tag);
  const auto at = lower.find("href=");
  if (at == std::string::npos || at + 6 > tag.size()) return {};
  tag.remove_prefix(at + 5);
  const char delimiter = tag.front();
  if (delimiter != '"' && delimiter != '\'') return decode_entities(tag.substr(0, tag.find_first_of(" >")));
  tag.remove_prefix(1);
  return decode_entities(tag.substr(0, tag.find(delimiter)));
}

bool breaks_line(std::string_view name) {
  constexpr std::array<std::string_view, 14> names{"br",          "br/", "/p",  "/div", "/li", "/pre", "pre",
                                                   "/blockquote", "/ul", "/ol", "/h1",  "/h2", "/h3",  "hr"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Reader {
 public:
  HtmlText read(std::string_view html) {
    while (!html.empty()) {
      const auto open = html.find('<');
      add(html.substr(0, open));
      if (open == std::string_view::npos) break;
      html.remove_prefix(open);
      const auto close = html.find('>');
      if (close == std::string_view::npos) {
        add(html);
        break;
      }
      tag(html.substr(1, close - 1));
      html.remove_prefix(close + 1);
    }
    end_link();
    return std::move(out_);
  }

 private:
  void add(std::string_view text) {
    if (in_reply_) return;
    const std::string decoded = decode_entities(text);
    out_.text += decoded;
    if (in_pre_) *out_.preformatted += decoded;
  }

  void end_link() {
    if (!link_) return;
    link_->shown = out_.text.substr(link_->start);
    out_.links.push_back(std::move(*link_));
    link_.reset();
  }

  void tag(std::string_view inside) {
    const std::string name = core::to_lower_ascii(inside.substr(0, inside.find_first_of(" \t\n")));
    if (name == "mx-reply") in_reply_ = true;
    if (name == "/mx-reply") in_reply_ = false;
    if (in_reply_) return;
    if (name == "a") {
      end_link();
      link_ = HtmlLink{href_of(inside), {}, out_.text.size()};
    }
    if (name == "/a") end_link();
    if (name == "/pre") in_pre_ = false;
    if (breaks_line(name) && !out_.text.empty()) out_.text += '\n';
    if (in_pre_ && (name == "br" || name == "br/")) *out_.preformatted += '\n';
    if (name == "pre" && !out_.preformatted) {
      in_pre_ = true;
      out_.preformatted.emplace();
    }
  }

  HtmlText out_;
  std::optional<HtmlLink> link_;
  bool in_reply_ = false, in_pre_ = false;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && hex_digit(text[at + 1]) >= 0 && hex_digit(text[at + 2]) >= 0) {
      decoded += static_cast<char>(hex_digit(text[at + 1]) * 16 + hex_digit(text[at + 2]));
      at += 2;
    } else {
      decoded += text[at];
    }
  }
  return decoded;
}

// "u/alice:hs", "r/alias:hs", "roomid/opaque:hs/e/event".
std::optional<LinkTarget> read_matrix_uri(std::string_view path) {
  const std::vector<std::string> parts = core::split(path, '/');
  if (parts.size() < 2 || parts[1].empty()) return std::nullopt;
  LinkTarget target;
  if (parts[0] == "u" || parts[0] == "user")
    target.id = "@";
  else if (parts[0] == "r" || parts[0] == "room")
    target.id = "#";
  else if (parts[0] == "roomid")
    target.id = "!";
  else
    return std::nullopt;
  target.id += percent_decode(parts[1]);
  if (parts.size() >= 4 && (parts[2] == "e" || parts[2] == "event")) target.event = "$" + percent_decode(parts[3]);
  return target;
}

}  // namespace

HtmlText read_html(std::string_view html) { return Reader().read(html); }

std::optional<LinkTarget> read_link(std::string_view url) {
  const std::string lower = core::to_lower_ascii(url);
  for (const std::string_view start : {"https://matrix.to/#/", "http://matrix.to/#/"}) {
    if (!lower.starts_with(start)) continue;
    url.remove_prefix(start.size());
    url = url.substr(0, url.find('?'));
    const auto slash = url.find('/');
    LinkTarget target;
    target.id = percent_decode(url.substr(0, slash));
    if (slash != std::string_view::npos) target.event = percent_decode(url.substr(slash + 1));
    constexpr std::string_view sigils = "@!#";
    if (target.id.size() < 2 || sigils.find(target.id.front()) == std::string_view::npos) return std::nullopt;
    return target;
  }
  if (!lower.starts_with("matrix:")) return std::nullopt;
  url.remove_prefix(7);
  return read_matrix_uri(url.substr(0, url.find('?')));
}

}  // namespace steward::command
