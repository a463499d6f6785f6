// The reference page and the example file, both from the table, so that they cannot disagree with the program.
#include <fmt/format.h>

#include "config/config.hpp"
#include "config/table.hpp"
#include "core/text.hpp"

namespace steward::config {
namespace {

constexpr std::size_t comment_width = 110;

std::string_view name_of(Type type) {
  switch (type) {
    case Type::text:
      return "text";
    case Type::secret:
      return "secret";
    case Type::integer:
      return "whole number";
    case Type::number:
      return "number";
    case Type::boolean:
      return "true or false";
    case Type::duration:
      return "duration";
    case Type::size:
      return "size";
    case Type::list:
      return "list";
    case Type::path:
      return "path";
    case Type::url:
      return "URL";
    case Type::choice:
      return "choice";
  }
  return "text";
}

std::string group_of(std::string_view key) {
  const auto dot = key.find('.');
  return std::string(dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot));
}

std::string name_in_group(std::string_view key) { return std::string(key.substr(key.find('.') + 1)); }

std::string type_in_words(const Setting& setting) {
  std::string words(name_of(setting.type));
  if (setting.type == Type::choice) words += ": " + core::join(core::split(setting.choices, '|'), ", ");
  if (setting.required) return words + ", required";
  if (setting.default_value.empty()) return words + ", not set by default";
  return words + fmt::format(", default `{}`", setting.default_value);
}

// Lines of at most `comment_width`, each with the indentation and "# ".
std::string comment(const std::string& indentation, std::string_view text) {
  std::string out;
  std::string line;
  for (const std::string& word : core::split(text, ' ')) {
    if (!line.empty() && indentation.size() + 2 + line.size() + 1 + word.size() > comment_width) {
      out += indentation + "# " + line + '\n';
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + indentation + "# " + line + '\n';
}

std::string default_in_yaml(const Setting& setting) {
  if (setting.type == Type::text || setting.default_value.empty()) return fmt::format("\"{}\"", setting.default_value);
  return std::string(setting.default_value);
}

std::string example_of(const Row& row, const std::string& indentation) {
  const Setting& setting = row.setting;
  std::string text = comment(indentation, fmt::format("{} ({})", setting.text, type_in_words(setting)));
  const std::string name = name_in_group(setting.key);
  if (!row.example.empty()) {
    const bool bare = row.example.starts_with('[');
    return text + (bare ? fmt::format("{}{}: {}\n", indentation, name, row.example)
                        : fmt::format("{}{}: \"{}\"\n", indentation, name, row.example));
  }
  if (setting.type == Type::secret) {
    return text + fmt::format("{}#{}_file: \"{}.secret\"\n", indentation, name, setting.key);
  }
  return text + fmt::format("{}#{}: {}\n", indentation, name, default_in_yaml(setting));
}

}  // namespace

std::string manual() {
  std::string text =
      "# Settings\n\n"
      "The settings live in `steward.yaml`. Unknown keys are errors. Relative paths start from the folder of the file. "
      "Durations are\n"
      "written like `30d` or `1d12h`. Values that start with `@`, `!` or `#` need quotes.\n\n"
      "A *secret* may stand in the file, in a file of its own named by `<key>_file` (readable by its owner only), or "
      "in the environment\n"
      "variable `STEWARD_<KEY>` with dots as underscores, which wins (`STEWARD_DATABASE_SYNAPSE`). A `steward.yaml` "
      "that holds a secret\n"
      "must not be readable by everybody, nor must the registration.\n\n"
      "*Reload*: `SIGHUP` applies the change; all others need a restart.\n";
  std::string group = "-";
  for (const Setting& setting : settings()) {
    if (group_of(setting.key) != group) {
      group = group_of(setting.key);
      text += fmt::format("\n## {}\n\n", group.empty() ? std::string(setting.key) : group);
    }
    text += fmt::format("- `{}` ({}{}): {}\n", setting.key, type_in_words(setting), setting.reload ? ", reload" : "",
                        setting.text);
  }
  return text;
}

std::string example_yaml() {
  std::string text =
      "# Settings of synapse-steward. What is commented out shows its default. `steward check` reads and checks this "
      "file.\n";
  std::string group = "-";
  for (const Row& row : rows()) {
    const std::string here = group_of(row.setting.key);
    if (here != group) text += here.empty() ? "\n" : fmt::format("\n{}:\n", here);
    group = here;
    text += example_of(row, here.empty() ? "" : "  ");
  }
  return text;
}

}  // namespace steward::config
