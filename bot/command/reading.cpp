// read_message: is this said to the bot, and which line is the command?
#include "command/reading.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command/html_text.hpp"
#include "command/parser.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::command {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name_character(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

// Rich text editors escape what Markdown would eat: "\!purge-media". Inside quotes a backslash is the person's own.
std::string without_escapes(std::string_view line) {
  constexpr std::string_view escaped = "!-_.*#[]()`~>";
  std::string text;
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"') quoted = !quoted;
    const bool escape =
        !quoted && line[at] == '\\' && at + 1 < line.size() && escaped.find(line[at + 1]) != std::string_view::npos;
    if (!escape) text += line[at];
  }
  return text;
}

// "`!help`" and a code block that holds the whole message mean their inside.
std::string_view without_ticks(std::string_view text) {
  if (text.starts_with("```")) {
    const auto first_end = text.find('\n');
    const auto last = text.rfind("```");
    if (last < 3) return text;
    const bool one_line = first_end == std::string_view::npos || first_end > last;
    const auto start = one_line ? 3 : first_end + 1;
    if (!core::trim(text.substr(last + 3)).empty() || last < start) return text;
    return core::trim(text.substr(start, last - start));
  }
  if (text.size() > 2 && text.front() == '`' && text.back() == '`') {
    const auto inside = text.substr(1, text.size() - 2);
    if (inside.find('`') == std::string_view::npos) return core::trim(inside);
  }
  return text;
}

// A pill becomes the id it means; a link to a message stays a link, because it means two things.
std::string plain_target(const std::string& url) {
  const auto target = read_link(url);
  if (!target || !target->event.empty()) return url;
  return target->id;
}

// "[Name](https://matrix.to/#/@x:hs)" and "<https://…>" → the target.
std::string without_markdown_links(std::string line) {
  std::size_t at = 0;
  while ((at = line.find("](", at)) != std::string::npos) {
    const auto open = line.rfind('[', at);
    const auto close = line.find(')', at);
    if (open == std::string::npos || close == std::string::npos) break;
    const std::string url = line.substr(at + 2, close - at - 2);
    if (!read_link(url)) {
      at += 2;
      continue;
    }
    const std::string target = plain_target(url);
    line.replace(open, close + 1 - open, target);
    at = open + target.size();
  }
  return line;
}

bool stands_alone(std::string_view text, std::size_t at, std::size_t length) {
  const bool before = at == 0 || !is_name_character(text[at - 1]);
  const bool after = at + length >= text.size() || !is_name_character(text[at + length]);
  return before && after;
}

// Where `shown` stands alone in `text` for the (skip+1)th time.
std::optional<std::size_t> find_shown(std::string_view text, std::string_view shown, std::size_t skip) {
  for (std::size_t at = text.find(shown); at != std::string_view::npos; at = text.find(shown, at + 1)) {
    if (!stands_alone(text, at, shown.size())) continue;
    if (skip-- == 0) return at;
  }
  return std::nullopt;
}

std::size_t count_shown(std::string_view text, std::string_view shown) {
  std::size_t count = 0;
  while (find_shown(text, shown, count)) ++count;
  return count;
}

// Names shown by pills → the ids behind them. Backwards, so that places found in the unchanged text stay right.
std::string with_pills(std::string line, const HtmlText& html) {
  for (auto link = html.links.rbegin(); link != html.links.rend(); ++link) {
    const std::string shown = fold_characters(link->shown);
    const std::string target = plain_target(link->target);
    if (shown.empty() || shown == target || !read_link(link->target)) continue;
    const std::size_t before = count_shown(fold_characters(html.text.substr(0, link->start)), shown);
    if (const auto at = find_shown(line, shown, before)) line.replace(*at, shown.size(), target);
  }
  return line;
}

bool starts_like(std::string_view text, std::string_view name) {
  return !name.empty() && core::to_lower_ascii(text.substr(0, name.size())) == core::to_lower_ascii(name);
}

// What follows `name` at the start of `text`: ": rest", ", rest", " rest", or the end. nullopt: another name, or none.
std::optional<std::string_view> after_name(std::string_view text, std::string_view name) {
  bool in_quotes = false;
  if (text.starts_with('"')) {
    in_quotes = true;
    text.remove_prefix(1);
  }
  if (!starts_like(text, name)) return std::nullopt;
  text.remove_prefix(name.size());
  if (in_quotes) {
    if (!text.starts_with('"')) return std::nullopt;
    text.remove_prefix(1);
  }
  // Some phones write the link behind the name: "Name" (https://matrix.to/#/@bot:hs)
  if (text.starts_with(" (https://matrix.to/")) {
    const auto close = text.find(')');
    if (close == std::string_view::npos) return std::nullopt;
    text.remove_prefix(close + 1);
  }
  if (text.empty()) return text;
  if (text.front() == ':' || text.front() == ',') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() != ' ') return std::nullopt;
  } else if (text.front() != ' ') {
    return std::nullopt;
  }
  return core::trim(text);
}

std::optional<std::string_view> after_mention(std::string_view line, const Speaker& speaker) {
  const std::string local(core::localpart(speaker.bot));
  const std::string with_at = "@" + local;
  const std::string display = fold_characters(speaker.bot_display_name);
  for (const std::string_view name : {std::string_view(speaker.bot.str()), std::string_view(display),
                                      std::string_view(with_at), std::string_view(local)})
    if (const auto rest = after_name(line, name)) return rest;
  return std::nullopt;
}

// Somebody else's pill at the very start: said to them, whatever their name is.
bool starts_with_another(const HtmlText& html, const Speaker& speaker) {
  if (html.links.empty() || !core::trim(html.text.substr(0, html.links.front().start)).empty()) return false;
  const auto target = read_link(html.links.front().target);
  return target && target->id.starts_with('@') && target->id != speaker.bot.str();
}

// Cuts "!" or the mention off; false: the line is not said to the bot.
bool take_address(Typed& typed, const Speaker& speaker, const HtmlText& html) {
  std::string_view rest = typed.line;
  if (rest.starts_with('!')) {
    typed.exclamation = true;
  } else {
    if (starts_with_another(html, speaker)) return false;
    const auto after = after_mention(rest, speaker);
    if (!after) return false;
    typed.mentioned = true;
    rest = *after;
  }
  if (rest.starts_with('!')) rest.remove_prefix(1);
  if (rest.starts_with("！")) rest.remove_prefix(std::string_view("！").size());
  rest = core::trim(rest);
  if (rest.empty() || !is_letter(rest.front())) return false;
  typed.line = std::string(rest);
  return true;
}

bool looks_like_command(std::string_view line) {
  return line.size() > 1 && line.front() == '!' && is_letter(line[1]) && line.find(':') == std::string_view::npos;
}

core::Error more_lines(std::string_view line) {
  if (looks_like_command(line)) {
    return {core::Code::bad_input,
            "One message, one command",
            "there is a second command under the first; nothing was run",
            "Send each command as a message of its own.",
            {}};
  }
  return {core::Code::bad_input,
          "The command is its first line only",
          fmt::format("{} stands under it; nothing was run", echo(line)),
          "Put the whole command into one line, and a list into a code block (``` before and after it).",
          {}};
}

// The lines under the command: a code block is a list, anything else is not understood.
void take_list(Typed& typed, const std::vector<std::string>& lines, const HtmlText& html) {
  std::string fence;
  for (const std::string& raw : lines) {
    const std::string_view line = core::trim(raw);
    if (!fence.empty()) {
      if (line == fence)
        fence.clear();
      else if (!line.empty())
        typed.list_lines.emplace_back(line);
    } else if (line.starts_with("```") || line.starts_with("~~~")) {
      fence = std::string(line.substr(0, 3));
      typed.has_list = true;
    } else if (!line.empty() && !typed.problem) {
      typed.problem = more_lines(line);
    }
  }
  if (!fence.empty()) {
    typed.problem = core::Error{core::Code::bad_input,
                                "The code block does not end",
                                "a list that was cut off must not run",
                                "Close it with ``` on a line of its own.",
                                {}};
  }
  if (typed.has_list || !html.preformatted) return;
  // Rich text editors leave the fences out of the plain body; the HTML knows which lines were the block.
  std::vector<std::string> shown, block;
  for (const std::string& raw : lines)
    if (const auto line = core::trim(raw); !line.empty()) shown.emplace_back(line);
  const std::string inside = fold_characters(*html.preformatted);
  for (const std::string& raw : core::split(inside, '\n'))
    if (const auto line = core::trim(raw); !line.empty()) block.emplace_back(line);
  if (shown != block) return;
  typed.problem.reset();
  typed.has_list = true;
  typed.list_lines = std::move(block);
}

}  // namespace

core::Result<std::optional<Typed>> read_message(std::string_view body, std::string_view formatted_body,
                                                const Speaker& speaker) {
  const std::string folded = fold_characters(without_reply_fallback(body));
  const std::string_view whole = without_ticks(core::trim(folded));
  const HtmlText html = read_html(formatted_body);
  Typed typed;
  const auto end = std::min(whole.find('\n'), whole.size());
  std::string_view first = core::trim(whole.substr(0, end));
  const bool too_long = first.size() > longest_line;
  if (too_long) first = first.substr(0, 256);
  typed.line = std::string(first);
  if (typed.line.starts_with("！")) typed.line.replace(0, std::string_view("！").size(), "!");
  typed.line = with_pills(without_markdown_links(without_escapes(typed.line)), html);
  if (!take_address(typed, speaker, html)) return std::nullopt;
  if (too_long) {
    return core::fail(core::Code::bad_input, "The command is too long",
                      fmt::format("its line has {}, at most {} are read",
                                  core::format_size(core::Bytes{static_cast<std::int64_t>(end)}),
                                  core::format_size(core::Bytes{static_cast<std::int64_t>(longest_line)})),
                      "Put a long list into a code block under the command.");
  }
  if (end < whole.size()) take_list(typed, core::split(whole.substr(end + 1), '\n'), html);
  return typed;
}

}  // namespace steward::command
