// settings: the few things people set in the room; everything else stands in steward.yaml.
// I/O thread; store only. The manual page is settings.md.
#include "commands/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "commands/all.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Options;
using command::Type;

namespace {

core::Result<std::string> check_zone(std::string_view value) {
  if (auto known = core::check_time_zone(value); !known) return core::fail(known.error());
  return std::string(value);
}

core::Result<std::string> check_span(std::string_view value) {
  if (value == "off") return std::string(value);
  const auto parts = core::split(value, '-');
  if (parts.size() == 2 && core::parse_time_of_day(parts[0]) && core::parse_time_of_day(parts[1]) && parts[0] != parts[1])
    return std::string(value);
  return core::fail(core::Code::bad_input, core::echo_word(value) + " is no span of hours",
                    "expected two times, or `off`", "Write 22:00-07:00.");
}

core::Result<std::string> check_hour(std::string_view value) {
  if (value == "off" || core::parse_time_of_day(value)) return std::string(value);
  return core::fail(core::Code::bad_input, core::echo_word(value) + " is no time of the day",
                    "expected hours and minutes, or `off`", "Write 08:00.");
}

core::Result<std::string> check_retention(std::string_view value) {
  const auto age = core::parse_duration(value);
  if (!age) return core::fail(age.error());
  if (*age < std::chrono::hours(24))
    return core::fail(core::Code::bad_input, core::echo_word(value) + " is too short", "the least is 1 day",
                      "Write 7d.");
  return core::to_lower_ascii(value);
}

struct Setting {
  std::string_view name;
  std::string_view text;
  core::Result<std::string> (*check)(std::string_view value);
  std::string (*current)(const Options& options);
  void (*apply)(Options& options, const std::string& value);
};

const std::array<Setting, 4> settings_table{{
    {"time-zone", "dates and times are shown in it", check_zone,
     [](const Options& options) { return options.time_zone; },
     [](Options& options, const std::string& value) { options.time_zone = value; }},
    {"quiet-hours", "nothing heavy starts by itself meanwhile", check_span,
     [](const Options& options) { return options.quiet_hours; },
     [](Options& options, const std::string& value) { options.quiet_hours = value; }},
    {"report-hours", "when the daily report is posted", check_hour,
     [](const Options& options) { return options.report_hours; },
     [](Options& options, const std::string& value) { options.report_hours = value; }},
    {"file-retention", "how long files that the bot posted stay", check_retention,
     [](const Options& options) { return core::write_duration(options.file_retention); },
     [](Options& options, const std::string& value) {
       options.file_retention = core::parse_duration(value).value_or(options.file_retention);
     }},
}};

const Setting* find(std::string_view name) {
  const auto* const found = std::find_if(settings_table.begin(), settings_table.end(),
                                         [&](const Setting& setting) { return setting.name == name; });
  return found == settings_table.end() ? nullptr : &*found;
}

std::string key_of(std::string_view name) { return "user." + std::string(name); }

matrix::Text line_of(const Setting& setting, const Options& options) {
  matrix::Text line = matrix::field(std::string(setting.name), setting.current(options));
  line.push_back(matrix::plain(fmt::format(" · {}", setting.text)));
  return line;
}

Answer list_all(const Options& options) {
  Answer answer;
  answer.message.title("Settings");
  for (const Setting& setting : settings_table) answer.message.entry(line_of(setting, options));
  answer.message.paragraph("Change one: !settings time-zone Europe/Berlin");
  return answer;
}

awaitable<core::Result<Answer>> change(Arguments arguments, Context& context) {
  Options& options = *context.services.options;
  if (!arguments.has("key")) co_return list_all(options);
  const Setting& setting = *find(arguments.text("key"));
  Answer answer;
  if (!arguments.has("value")) {
    answer.message.paragraph(line_of(setting, options));
    co_return answer;
  }
  auto value = setting.check(arguments.text("value"));
  if (!value) co_return core::fail(value.error());
  const std::string before = setting.current(options);
  std::string key = key_of(setting.name);
  std::string stored = *value;
  auto put = co_await context.stores().settings.put(std::move(key), std::move(stored));
  if (!put) co_return core::fail(put.error());
  setting.apply(options, *value);
  answer.message.title(fmt::format("{} is {} now", setting.name, setting.current(options)));
  answer.message.paragraph(fmt::format("It was {}. Undo: !settings {} {}", before, setting.name, before));
  co_return answer;
}

}  // namespace

awaitable<core::Result<void>> load_settings(command::Services& services) {
  std::string prefix = "user.";
  auto stored = co_await services.stores->settings.all(std::move(prefix));
  if (!stored) co_return core::fail(stored.error());
  for (const auto& [key, value] : *stored) {
    const Setting* setting = find(std::string_view(key).substr(5));
    const bool valid = setting != nullptr && setting->check(value);
    if (valid)
      setting->apply(*services.options, value);
    else
      core::log_warning("settings", "the stored setting {} is not understood and left out", key);
  }
  co_return core::Result<void>();
}

Command settings() {
  Command command;
  command.spec.name = "settings";
  command.spec.group = command::Group::general;
  command.spec.summary = "Time zone, quiet hours, report hours, file retention";
  command.spec.level = Level::reversible;
  command.spec.role = command::Role::operator_;
  command.spec.safe_while_running = "yes";
  auto key = command::optional_positional("key", Type::choice, "which one");
  for (const Setting& setting : settings_table) key.choices.emplace_back(setting.name);
  command.spec.arguments = {std::move(key), command::optional_positional("value", Type::text, "its new value")};
  command.spec.examples = {
      {"settings", "all of them"}, {"settings time-zone Europe/Berlin", ""}, {"settings quiet-hours 22:00-07:00", ""}};
  command.spec.control = true;
  command.manual = manual("settings");
  command.answer = change;
  return command;
}

}  // namespace steward::commands
