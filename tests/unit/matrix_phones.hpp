// Copies of the allow-lists of two phone clients (facts/matrix-protocol.md §3.3), to see what our HTML looks like
// there. Element X Android: Jsoup safelist, unknown tags are dropped and their text kept, glued together. Element X
// iOS: a switch over tags in AttributedStringBuilderV2, unknown tags lose their text when they are <span>, else their
// breaks.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace steward::matrix::phone {

inline constexpr std::array<std::string_view, 15> kept_tags = {
    "a", "b", "strong", "i", "em", "u", "del", "code", "ul", "ol", "li", "pre", "blockquote", "p", "br"};

inline bool is_kept(std::string_view tag) {
  return std::find(kept_tags.begin(), kept_tags.end(), tag) != kept_tags.end();
}

struct Piece {
  enum class Kind { text, open, close } kind = Kind::text;
  std::string value;       // text as written, or the tag's name
  std::string attributes;  // as written
};

// Our own HTML is small and regular; what this cannot split is already a finding.
inline std::vector<Piece> split_html(std::string_view html) {
  std::vector<Piece> pieces;
  while (!html.empty()) {
    const auto open = html.find('<');
    if (open != 0) {
      pieces.push_back({Piece::Kind::text, std::string(html.substr(0, open)), ""});
      html.remove_prefix(std::min(open, html.size()));
      continue;
    }
    const auto end = html.find('>');
    std::string_view inside = html.substr(1, end == std::string_view::npos ? end : end - 1);
    html.remove_prefix(end == std::string_view::npos ? html.size() : end + 1);
    const bool closing = inside.starts_with('/');
    if (closing) inside.remove_prefix(1);
    const auto space = inside.find(' ');
    pieces.push_back({closing ? Piece::Kind::close : Piece::Kind::open, std::string(inside.substr(0, space)),
                      space == std::string_view::npos ? "" : std::string(inside.substr(space + 1))});
  }
  return pieces;
}

inline std::string unescaped(std::string text) {
  for (const auto& [entity, character] : std::array<std::pair<std::string_view, char>, 4>{
           {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&amp;", '&'}}}) {
    for (std::size_t at = 0; (at = text.find(entity, at)) != std::string::npos; ++at) {
      text.replace(at, entity.size(), 1, character);
    }
  }
  return text;
}

inline bool breaks_line(std::string_view tag) {
  return tag == "p" || tag == "li" || tag == "pre" || tag == "br" || tag == "ul" || tag == "ol" || tag == "blockquote";
}

// What remains to read: text, with a line break where a kept block ends.
inline std::string visible(std::string_view html, bool span_loses_text) {
  std::string shown;
  int lost = 0;
  for (const Piece& piece : split_html(html)) {
    const bool losing = span_loses_text && piece.value == "span" && piece.kind != Piece::Kind::text;
    if (losing) lost += piece.kind == Piece::Kind::open ? 1 : -1;
    if (lost > 0) continue;
    if (piece.kind == Piece::Kind::text) shown += unescaped(piece.value);
    const bool ends = piece.kind == Piece::Kind::close || piece.value == "br";
    if (piece.kind != Piece::Kind::text && ends && is_kept(piece.value) && breaks_line(piece.value)) shown += '\n';
  }
  return shown;
}

inline std::string element_x_android(std::string_view html) { return visible(html, false); }
inline std::string element_x_ios(std::string_view html) { return visible(html, true); }

inline bool is_safe_link(std::string_view attributes) {
  constexpr std::string_view start = "href=\"";
  if (!attributes.starts_with(start) || !attributes.ends_with('"')) return false;
  const std::string_view url = attributes.substr(start.size(), attributes.size() - start.size() - 1);
  if (url.find('"') != std::string_view::npos) return false;
  for (const std::string_view scheme : {"http://", "https://", "mailto:"}) {
    if (url.size() < scheme.size()) continue;
    const bool same = std::equal(scheme.begin(), scheme.end(), url.begin(),
                                 [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); });
    if (same) return true;
  }
  return false;
}

inline bool is_escaped(std::string_view text) {
  for (std::size_t at = 0; (at = text.find('&', at)) != std::string_view::npos; ++at) {
    const std::string_view rest = text.substr(at);
    const bool entity =
        rest.starts_with("&lt;") || rest.starts_with("&gt;") || rest.starts_with("&quot;") || rest.starts_with("&amp;");
    if (!entity) return false;
  }
  return text.find('>') == std::string_view::npos && text.find('"') == std::string_view::npos;
}

// "" when every tag is kept by both phones, without attributes but a followable href, properly nested and closed, and
// all text escaped; else the first finding.
inline std::string first_problem(std::string_view html) {
  std::vector<std::string> open;
  for (const Piece& piece : split_html(html)) {
    if (piece.kind == Piece::Kind::text) {
      if (!is_escaped(piece.value)) return "unescaped text: " + piece.value;
      continue;
    }
    if (!is_kept(piece.value)) return "tag <" + piece.value + ">";
    if (piece.kind == Piece::Kind::close) {
      if (open.empty() || open.back() != piece.value) return "</" + piece.value + "> closes nothing";
      open.pop_back();
      continue;
    }
    if (piece.value == "a" ? !is_safe_link(piece.attributes) : !piece.attributes.empty()) {
      return "attributes of <" + piece.value + ">: " + piece.attributes;
    }
    if (piece.value != "br") open.push_back(piece.value);
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

}  // namespace steward::matrix::phone
