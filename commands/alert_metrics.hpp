// What can be watched: one table of metrics, and the sources that measure them. Used by alerts.cpp (the commands) and alert_watch.cpp
// (the looks). I/O thread; read and store session, steward-host.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "command/context.hpp"
#include "report/alert.hpp"

namespace steward::commands {

enum class Unit { count, bytes, time, percent };  // time in seconds

struct Metric {
  std::string_view name;  // "disk-free"
  Unit unit = Unit::count;
  bool below = false;     // trouble is less than the limit; else more
  bool rings = true;      // a person must act
  bool urgent = false;    // rings in quiet hours too, and goes the way of alerts.fallback at once
  std::optional<std::int64_t> usual;  // the limit after set-up; nullopt: none
  std::string_view text;    // "free space of the fullest disk"
  std::string_view advice;  // what to do, one sentence
};

const std::vector<Metric>& metrics();
const Metric* find_metric(std::string_view name);  // nullptr: none of that name
inline constexpr std::string_view abuse_reports = "abuse-reports";  // each new one is told by itself; its limit is 0

report::Limit limit_of(const Metric& metric, std::int64_t value);
// "5G", "14d", "200", "90 %" as the metric's unit reads. bad_input says what is expected.
core::Result<std::int64_t> parse_limit(const Metric& metric, std::string_view text);
std::string write_limit(const Metric& metric, std::int64_t value);   // as parse_limit reads it back
std::string value_words(const Metric& metric, std::int64_t value);   // as people read it

struct Measured {
  std::int64_t value = 0;
  std::string detail;  // of what: a disk, a server's name, a task
};
using Measures = std::map<std::string, Measured, std::less<>>;
// What the sources of the wanted metrics say now. Dear ones (whole tables, the host's disks) only with `all`. What cannot be measured
// is missing; why goes to the log.
boost::asio::awaitable<Measures> measure(std::set<std::string, std::less<>> wanted, bool all, command::Context& context);

}  // namespace steward::commands
