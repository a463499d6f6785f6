// The logging front: one line per event, key=value, secrets removed. info is rare and never triggerable by an outsider,
// warning means the admin should act, error means something stopped. Any thread. spdlog stays in log.cpp.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace steward::core {

enum class LogLevel { debug, info, warning, error };

void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void write_log(LogLevel level, std::string_view component, std::string_view text);  // newlines become " | "

template <class... Args>
void log_debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::debug)) write_log(LogLevel::debug, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::info)) write_log(LogLevel::info, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::warning, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::error, component, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace steward::core
