#include "matrix/message.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "core/text.hpp"

namespace steward::matrix {

namespace {

// What may reverse, hide or break a line for its reader: control characters, bidi controls, line separators. The
// joiners of emoji and scripts stay.
bool is_unwanted(char32_t c) {
  if (c < 0x20) return c != U'\n' && c != U'\t';
  if (c >= 0x7F && c <= 0x9F) return true;
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
         c == 0xFEFF;
}

// Names are cleaned by who fetched them; this is the last door, for all text.
std::string shown(std::string_view text) {
  std::u32string points = core::to_code_points(text);
  std::erase_if(points, is_unwanted);
  return core::from_code_points(points);
}

void replace_all(std::string& text, std::string_view old_part, std::string_view new_part) {
  for (std::size_t at = 0; (at = text.find(old_part, at)) != std::string::npos; at += new_part.size()) {
    text.replace(at, old_part.size(), new_part);
  }
}

std::string html_of(std::string_view text) {
  std::string html = core::escape_html(shown(text));
  replace_all(html, "\n", "<br>");
  return html;
}

std::string tagged(std::string_view tag, const std::string& html) { return fmt::format("<{0}>{1}</{0}>", tag, html); }

// Clients drop other schemes; a link nobody can follow is shown as text.
bool is_followable(std::string_view url) {
  const std::string lower = core::to_lower_ascii(url.substr(0, 8));
  return lower.starts_with("https://") || lower.starts_with("http://") || lower.starts_with("mailto:");
}

bool is_mention(std::string_view url) { return url.starts_with("https://matrix.to/#/@"); }

std::string html_of(const Span& span, bool in_title) {
  const std::string inner = html_of(span.text);
  switch (span.style) {
    case Span::Style::plain:
      return inner;
    case Span::Style::bold:
      return in_title ? inner : tagged("b", inner);
    case Span::Style::code:
      return tagged("code", inner);
    case Span::Style::link:
      if (!is_followable(span.url)) return inner;
      return fmt::format("<a href=\"{}\">{}</a>", core::escape_html(shown(span.url)), inner);
  }
  return inner;
}

std::string html_of(const Text& text, bool in_title = false) {
  std::string html;
  for (const Span& span : text) html += html_of(span, in_title);
  return html;
}

std::string plain_of(const Text& text) {
  std::string plain;
  for (const Span& span : text) {
    plain += shown(span.text);
    const bool says_more = span.style == Span::Style::link && is_followable(span.url) && !is_mention(span.url);
    if (says_more && span.url != span.text) plain += " (" + shown(span.url) + ")";
  }
  return plain;
}

// The lines after the first stand under its text, not under its bullet.
std::string indented(std::string text) {
  replace_all(text, "\n", "\n  ");
  return text;
}

// Everything that could end the URL's part early; the sigil and colon stay readable and are what clients look for.
std::string matrix_to(std::string_view id) {
  constexpr std::string_view kept = "-._~@:=+";
  std::string url = "https://matrix.to/#/";
  for (const char c : id) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || kept.find(c) != std::string_view::npos) {
      url += c;
    } else {
      url += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return url;
}

Text with_bold_label(const std::string& line) {
  const auto at = line.find(": ");
  if (at == std::string::npos || at == 0) return Text(1, plain(line));
  return field(line.substr(0, at), line.substr(at + 2));
}

}  // namespace

Span plain(std::string text) { return Span{Span::Style::plain, std::move(text), {}}; }
Span bold(std::string text) { return Span{Span::Style::bold, std::move(text), {}}; }
Span code(std::string text) { return Span{Span::Style::code, std::move(text), {}}; }
Span link(std::string text, std::string url) { return Span{Span::Style::link, std::move(text), std::move(url)}; }
Span pill(const core::UserId& user) { return link(user.str(), matrix_to(user.str())); }

Text field(std::string label, std::string value) { return {bold(std::move(label)), plain(": " + std::move(value))}; }

Message& Message::title(Text text) {
  blocks_.push_back({Block::Kind::title, std::move(text), std::nullopt});
  return *this;
}
Message& Message::title(std::string text) { return title(Text(1, plain(std::move(text)))); }

Message& Message::paragraph(Text text) {
  blocks_.push_back({Block::Kind::paragraph, std::move(text), std::nullopt});
  return *this;
}
Message& Message::paragraph(std::string text) { return paragraph(Text(1, plain(std::move(text)))); }

Message& Message::entry(Text text, std::optional<Text> detail) {
  blocks_.push_back({Block::Kind::entry, std::move(text), std::move(detail)});
  return *this;
}
Message& Message::entry(std::string text) { return entry(Text(1, plain(std::move(text)))); }

Message& Message::preformatted(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  blocks_.push_back({Block::Kind::preformatted, Text(1, plain(std::move(text))), std::nullopt});
  return *this;
}

Message& Message::lines(const std::vector<std::string>& lines) {
  Text all;
  for (const std::string& line : lines) {
    if (!all.empty()) all.push_back(plain("\n"));
    for (Span& span : with_bold_label(line)) all.push_back(std::move(span));
  }
  return all.empty() ? *this : paragraph(std::move(all));
}

int Message::line_count() const {
  if (blocks_.empty()) return 0;
  const std::string body = plain_body();
  return 1 + static_cast<int>(std::count(body.begin(), body.end(), '\n'));
}

std::string Message::plain_body() const {
  std::string body;
  for (const Block& block : blocks_) {
    if (!body.empty()) body += '\n';
    if (block.kind != Block::Kind::entry) {
      body += plain_of(block.text);
      continue;
    }
    body += "• " + indented(plain_of(block.text));
    if (block.detail) body += "\n  " + indented(plain_of(*block.detail));
  }
  return body;
}

std::string Message::html_body() const {
  std::string html;
  bool in_list = false;
  for (const Block& block : blocks_) {
    const bool entry = block.kind == Block::Kind::entry;
    if (entry != in_list) html += entry ? "<ul>" : "</ul>";
    in_list = entry;
    switch (block.kind) {
      case Block::Kind::title:
        html += tagged("p", tagged("strong", html_of(block.text, true)));
        break;
      case Block::Kind::paragraph:
        html += tagged("p", html_of(block.text));
        break;
      case Block::Kind::preformatted:
        // Line breaks stay line breaks here: <br> inside <pre> doubles them on some clients.
        html += tagged("pre", tagged("code", core::escape_html(plain_of(block.text))));
        break;
      case Block::Kind::entry:
        html += "<li>" + html_of(block.text);
        if (block.detail) html += "<br>" + html_of(*block.detail);
        html += "</li>";
        break;
    }
  }
  return in_list ? html + "</ul>" : html;
}

}  // namespace steward::matrix
