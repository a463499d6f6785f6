#include "command/help.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "command/values.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

constexpr std::size_t phone_columns = 40;
constexpr std::array groups{Group::general, Group::jobs,     Group::media,  Group::rooms,    Group::users,
                            Group::abuse,   Group::database, Group::server, Group::schedules};

std::string capital(std::string_view text) {
  std::string word(text);
  if (!word.empty() && word[0] >= 'a' && word[0] <= 'z') word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

std::vector<const Spec*> of_group(Group group, const std::vector<const Spec*>& specs) {
  std::vector<const Spec*> found;
  std::copy_if(specs.begin(), specs.end(), std::back_inserter(found),
               [&](const Spec* spec) { return spec->group == group; });
  return found;
}

std::string positional_usage(const Argument& argument) {
  const std::string inside = argument.choices.empty() ? argument.name : core::join(argument.choices, "|");
  const std::string more = argument.repeated ? "…" : "";
  return argument.required ? fmt::format("<{}{}>", inside, more) : fmt::format("[{}{}]", inside, more);
}

std::string flag_usage(const Argument& argument) {
  std::string text = "--" + argument.name;
  if (argument.kind == Argument::Kind::option) text += ' ' + placeholder(argument);
  return text;
}

// Flags that mean the same everywhere get one line together.
bool is_standard(const Argument& argument) {
  constexpr std::array<std::string_view, 7> names{"dry-run", "limit", "page", "json", "csv", "chart", "reason"};
  return argument.kind != Argument::Kind::positional &&
         std::find(names.begin(), names.end(), argument.name) != names.end();
}

std::string level_words(const Spec& spec) {
  std::string words(word(spec.level));
  for (const Argument& argument : spec.arguments)
    if (argument.level && *argument.level != spec.level && argument.name != "dry-run")
      words += fmt::format(", with --{} {}", argument.name, word(*argument.level));
  return words;
}

std::string confirmation(Level level) {
  if (level == Level::destroys) return "asks for a typed word";
  if (level >= Level::slows) return "asks before it acts";
  return level == Level::reads ? "changes nothing" : "acts at once, can be undone";
}

constexpr std::string_view item_mark = "- ";

// **bold** and `code` of one paragraph as spans; anything else is plain.
matrix::Text spans(std::string_view text) {
  matrix::Text out;
  while (!text.empty()) {
    const auto bold = text.find("**");
    const auto tick = text.find('`');
    const auto start = std::min(bold, tick);
    const std::string_view mark = start == bold ? "**" : "`";
    const auto end = start == std::string_view::npos ? start : text.find(mark, start + mark.size());
    if (end == std::string_view::npos) break;
    if (start > 0) out.push_back(matrix::plain(std::string(text.substr(0, start))));
    const std::string inside(text.substr(start + mark.size(), end - start - mark.size()));
    out.push_back(mark == "`" ? matrix::code(inside) : matrix::bold(inside));
    text.remove_prefix(end + mark.size());
  }
  if (!text.empty()) out.push_back(matrix::plain(std::string(text)));
  return out;
}

// The paragraphs and list items ("- …") of a manual page, each as one line; the heading is left out.
std::vector<std::string> paragraphs(std::string_view manual) {
  std::vector<std::string> found;
  bool open = false;
  for (const std::string& raw : core::split(manual, '\n')) {
    const std::string_view line = core::trim(raw);
    if (line.empty() || line.starts_with('#')) {
      open = false;
    } else if (open && !line.starts_with(item_mark)) {
      found.back() += ' ' + std::string(line);
    } else {
      found.emplace_back(line);
      open = true;
    }
  }
  return found;
}

matrix::Text with_code(std::string_view label, std::string code, std::string text) {
  matrix::Text out;
  if (!label.empty()) out.push_back(matrix::plain(std::string(label)));
  out.push_back(matrix::code(std::move(code)));
  if (!text.empty()) out.push_back(matrix::plain(" " + text));
  return out;
}

// Names of a group in at most `columns`; how many were left out.
std::string names_within(const std::vector<const Spec*>& specs, std::size_t columns) {
  std::string line;
  std::size_t shown = 0;
  for (const Spec* spec : specs) {
    const std::string more = (line.empty() ? "!" : " !") + spec->name;
    const std::size_t reserve = shown + 1 == specs.size() ? 0 : 4;
    if (!line.empty() && core::display_width(line) + more.size() + reserve > columns) break;
    line += more;
    ++shown;
  }
  if (shown < specs.size()) line += fmt::format(" +{}", specs.size() - shown);
  return line;
}

}  // namespace

std::string usage(const Spec& spec) {
  std::string line = "!" + spec.name;
  for (const Argument& argument : spec.arguments)
    if (argument.kind == Argument::Kind::positional) line += ' ' + positional_usage(argument);
  for (const Argument& argument : spec.arguments)
    if (argument.kind != Argument::Kind::positional) line += fmt::format(" [{}]", flag_usage(argument));
  return line;
}

std::optional<Group> parse_group(std::string_view text) {
  const std::string lower = core::to_lower_ascii(text);
  for (const Group group : groups)
    if (lower == name(group)) return group;
  return std::nullopt;
}

matrix::Message overview(const std::vector<const Spec*>& specs, Role role) {
  std::vector<const Spec*> allowed;
  std::copy_if(specs.begin(), specs.end(), std::back_inserter(allowed),
               [&](const Spec* spec) { return needed_role(*spec, lowest_level(*spec)) <= role; });
  const auto present = static_cast<std::size_t>(
      std::count_if(groups.begin(), groups.end(), [&](Group group) { return !of_group(group, allowed).empty(); }));
  matrix::Message message;
  message.title("Commands");
  // Title and the two lines below the groups take five lines of a phone.
  const std::size_t lines_each = present == 0 ? 1 : std::max<std::size_t>(1, (most_lines - 5) / present);
  for (const Group group : groups) {
    const auto members = of_group(group, allowed);
    if (members.empty()) continue;
    const std::string label = capital(name(group));
    message.entry(matrix::field(label, names_within(members, lines_each * phone_columns - label.size() - 6)));
  }
  message.paragraph("!help <command> or !help <group> says more.");
  message.paragraph("Anything that loses data shows a plan first. --dry-run only shows.");
  return message;
}

matrix::Message group_help(Group group, const std::vector<const Spec*>& specs) {
  const auto members = of_group(group, specs);
  matrix::Message message;
  message.title(capital(name(group)));
  // Names first; what they do where the screen has room for it.
  const bool summaries = members.size() <= most_lines - 3;
  if (summaries) {
    for (const Spec* spec : members) message.entry(with_code("", "!" + spec->name, spec->summary));
  } else {
    for (std::size_t at = 0; at < members.size(); at += 3) {
      const std::vector<const Spec*> row(
          members.begin() + static_cast<std::ptrdiff_t>(at),
          members.begin() + static_cast<std::ptrdiff_t>(std::min(at + 3, members.size())));
      message.entry(names_within(row, 3 * phone_columns));
    }
  }
  message.paragraph("!help <command> says more.");
  return message;
}

matrix::Message command_help(const Spec& spec, std::string_view manual) {
  matrix::Message message;
  message.title(fmt::format("!{} · {}", spec.name, spec.summary));
  matrix::Text how = with_code("", usage(spec), spec.alias.empty() ? "" : fmt::format("(short: !{})", spec.alias));
  message.paragraph(std::move(how));
  std::vector<matrix::Text> flags;
  std::vector<std::string> standard;
  for (const Argument& argument : spec.arguments) {
    if (is_standard(argument)) {
      standard.push_back(flag_usage(argument));
    } else {
      const std::string shown =
          argument.kind == Argument::Kind::positional ? positional_usage(argument) : flag_usage(argument);
      const std::string preset = argument.default_text.empty() ? "" : fmt::format(" (else {})", argument.default_text);
      flags.push_back(with_code("", shown, argument.text + preset));
    }
  }
  // The manual gives way last: first the flags share lines, then examples go.
  const auto pages = paragraphs(manual);
  const int fixed = 3 + (standard.empty() ? 0 : 1);
  const int room = most_lines - fixed - static_cast<int>(pages.size());
  const bool flags_fit = static_cast<int>(flags.size()) <= room;
  for (const std::string& page : pages) {
    const std::string_view text(page);
    if (text.starts_with(item_mark)) message.entry(spans(text.substr(item_mark.size())));
    else message.paragraph(spans(text));
  }
  if (flags_fit)
    for (matrix::Text& each : flags) message.entry(std::move(each));
  if (!standard.empty()) message.paragraph("Also: " + core::join(standard, ", "));
  int left = room - (flags_fit ? static_cast<int>(flags.size()) : 0);
  for (const Example& example : spec.examples)
    if (left-- > 0) message.paragraph(with_code("For example ", "!" + example.line, example.text));
  message.paragraph(matrix::field(
      "Level", fmt::format("{} ({}). Least role: {}. Safe while Synapse runs: {}", level_words(spec),
                           confirmation(spec.level), name(needed_role(spec, spec.level)), spec.safe_while_running)));
  return message;
}

std::string reference_markdown(const std::vector<const Spec*>& specs) {
  std::string text;
  for (const Group group : groups) {
    const auto members = of_group(group, specs);
    if (members.empty()) continue;
    text += fmt::format("### {}\n\n| command | what it does | level |\n|---|---|---|\n", capital(name(group)));
    for (const Spec* spec : members) {
      std::string shape = usage(*spec);
      for (std::size_t at = 0; (at = shape.find('|', at)) != std::string::npos; at += 2) shape.insert(at, "\\");
      const std::string alias = spec->alias.empty() ? "" : fmt::format(" (`!{}`)", spec->alias);
      text += fmt::format("| `{}`{} | {} | {} {} |\n", shape, alias, spec->summary, static_cast<int>(spec->level),
                          word(spec->level));
    }
    text += '\n';
  }
  return text;
}

}  // namespace steward::command
