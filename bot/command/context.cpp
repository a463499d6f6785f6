#include "command/context.hpp"

#include "core/text.hpp"

namespace steward::command {

namespace {

core::Result<db::Session*> need(db::Session* session) {
  if (session) return session;
  return core::fail(core::Code::unavailable, "This needs Synapse's database, and there is no connection to it",
                    "`database.synapse` is not set in the configuration",
                    "set it in steward.yaml (steward setup prints the GRANTs) and restart the bot");
}

}  // namespace

core::Daytime daytime(const Options& options) {
  core::Daytime day;
  day.zone = options.time_zone;
  day.report_hours = core::parse_time_of_day(options.report_hours);
  const auto span = core::split(options.quiet_hours, '-');
  if (span.size() != 2) return day;  // "off"
  const auto from = core::parse_time_of_day(span[0]), to = core::parse_time_of_day(span[1]);
  if (from && to) day.quiet_hours = std::pair(*from, *to);
  return day;
}

core::Result<db::Session*> Context::read() const { return reports ? need(services.read) : plan(); }
core::Result<db::Session*> Context::plan() const { return need(services.plan); }
core::Result<db::Session*> Context::work() const { return need(services.work); }

}  // namespace steward::command
