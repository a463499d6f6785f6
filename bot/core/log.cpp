#include "core/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "core/secret.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace steward::core {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Not in spdlog's registry: it must outlive the static objects that log while the program ends, so it is never
// destroyed.
spdlog::logger& logger() {
  static spdlog::logger& instance = [&]() -> spdlog::logger& {
    auto& made = *new spdlog::logger("steward", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made.set_level(spdlog::level::info);
    made.flush_on(spdlog::level::debug);
    return made;
  }();
  return instance;
}

// One line that cannot forge another one, move the cursor of a terminal or turn the direction of its neighbours.
std::string one_line(std::string_view text) {
  std::u32string line;
  for (const char32_t c : to_code_points(text)) {
    if (c == U'\n' || c == 0x2028 || c == 0x2029) {
      line += U" | ";
    } else if (c == U'\t') {
      line += U' ';
    } else if (!is_hidden(c)) {
      line += c;
    }
  }
  return from_code_points(line);
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(to_spdlog(level)); }

bool log_enabled(LogLevel level) { return logger().should_log(to_spdlog(level)); }

void write_log(LogLevel level, std::string_view component, std::string_view text) {
  if (!log_enabled(level)) return;
  logger().log(to_spdlog(level), "{} {}", component, one_line(without_secrets(text)));
}

}  // namespace steward::core
