#include "commands/abuse_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.hpp"
#include "db/sqlstate.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

constexpr std::int64_t most_read = 1000;
constexpr std::size_t told_singly = 3, entries_shown = 12;

struct Kind {
  std::string name, setting;  // where the last one told is kept: "<received_ts> <id>"
  const db::Statement* newer;
};

const std::array<Kind, 3>& kinds() {
  static const std::array<Kind, 3> all{{{"a message", "alerts.abuse.events", &db::sql::alert_abuse_events},
                                        {"a person", "alerts.abuse.users", &db::sql::alert_abuse_users},
                                        {"a room", "alerts.abuse.rooms", &db::sql::alert_abuse_rooms}}};
  return all;
}

struct Report {
  const Kind* kind = nullptr;
  std::int64_t id = 0, received_ms = 0;
  std::string reporter, target, room, reason;
  std::string mark() const { return fmt::format("{} {}", received_ms, id); }
};

Report report_from(const Kind& kind, const db::Row& row) {
  return {&kind, row.integer("id"), row.integer("received_ts"), row.text("reporter"), row.text("target"), row.text("room_id"), row.text("reason")};
}

std::string what(const Report& report) {
  std::string words = report.kind->name;
  if (!report.target.empty()) words += (report.room.empty() ? " " : " by ") + core::clean_name(report.target, 80);
  if (!report.room.empty()) words += (report.target.empty() ? " " : " in ") + core::clean_name(report.room, 80);
  return words;
}

matrix::Message message_of(const Report& report, bool local) {
  matrix::Message message;
  message.title("🚩 New abuse report: " + what(report));
  if (!report.reason.empty()) message.paragraph(matrix::Text{matrix::bold("Reason: "), matrix::plain(core::clean_name(report.reason, 200))});
  message.paragraph(matrix::Text{matrix::bold("Reported by: "), matrix::code(core::clean_name(report.reporter, 80))});
  std::string help;
  if (!report.room.empty()) help = "🔎 shows the room. ";
  if (local) help += "🧹 plans to delete what they uploaded; nothing happens before you confirm.";
  if (!help.empty()) message.paragraph(std::move(help));
  return message;
}

AbuseNotice notice_of(const Report& report, const std::string& server_name) {
  const bool local = core::UserId(report.target).str().ends_with(":" + server_name);
  AbuseNotice notice;
  notice.cause = fmt::format("{}:{}:{}", report.kind->setting, report.received_ms, report.id);
  notice.message = message_of(report, local);
  if (!report.room.empty()) notice.offers.emplace_back("🔎", "room " + report.room);
  if (local) notice.offers.emplace_back("🧹", "purge-user-media " + report.target);
  return notice;
}

AbuseNotice notice_of(const std::vector<Report>& reports) {
  AbuseNotice notice;
  notice.cause = fmt::format("{}:{}:{}:all", reports.front().kind->setting, reports.front().received_ms, reports.front().id);
  notice.message.title(fmt::format("🚩 {} new abuse reports", core::format_count(static_cast<std::int64_t>(reports.size()))));
  for (std::size_t index = 0; index < std::min(reports.size(), entries_shown); ++index) {
    const Report& report = reports[index];
    notice.message.entry(what(report) + (report.reason.empty() ? "" : ": " + core::clean_name(report.reason, 60)));
  }
  if (reports.size() > entries_shown) notice.message.paragraph(fmt::format("and {} more", reports.size() - entries_shown));
  return notice;
}

// Where the next look begins; nullopt: it is the first.
awaitable<core::Result<std::optional<std::pair<std::int64_t, std::int64_t>>>> last_told(std::string setting, command::Services& services) {
  using Mark = std::optional<std::pair<std::int64_t, std::int64_t>>;
  auto kept = co_await services.stores->settings.get(std::move(setting));
  if (!kept) co_return core::fail(kept.error());
  if (!*kept) co_return Mark();
  const auto parts = core::split(**kept, ' ');
  if (parts.size() != 2) co_return Mark();
  co_return Mark(std::pair(std::stoll(parts[0]), std::stoll(parts[1])));
}

// Begins the watch where the reports end now. What Synapse's table has later is new.
awaitable<core::Result<void>> begin(const Kind& kind, command::Services& services) {
  auto now = co_await services.stores->schedules.now();
  if (!now) co_return core::fail(now.error());
  co_return co_await services.stores->settings.put(kind.setting, fmt::format("{} 0", core::to_unix_ms(*now)));
}

awaitable<core::Result<std::vector<Report>>> newer(const Kind& kind, command::Services& services) {
  auto last = co_await last_told(kind.setting, services);
  if (!last) co_return core::fail(last.error());
  if (!*last) {
    auto begun = co_await begin(kind, services);
    if (!begun) co_return core::fail(begun.error());
    co_return std::vector<Report>();
  }
  db::Arguments bound;
  bound.emplace_back("after_ms", db::bind((*last)->first));
  bound.emplace_back("after_id", db::bind((*last)->second));
  bound.emplace_back("limit", db::bind(most_read));
  auto rows = co_await services.read->query(*kind.newer, std::move(bound));
  if (!rows && rows.error().source == db::undefined_table) co_return std::vector<Report>();  // Synapse before 1.126 and 1.152
  if (!rows) co_return core::fail(rows.error());
  std::vector<Report> reports;
  for (const db::Row& row : *rows) reports.push_back(report_from(kind, row));
  co_return reports;
}

}  // namespace

awaitable<core::Result<AbuseNews>> new_abuse_reports(command::Services& services) {
  AbuseNews news;
  if (!services.read) co_return news;
  std::vector<Report> reports;
  for (const Kind& kind : kinds()) {
    auto found = co_await newer(kind, services);
    if (!found) co_return core::fail(found.error());
    reports.insert(reports.end(), found->begin(), found->end());
  }
  if (reports.size() > told_singly) news.notices.push_back(notice_of(reports));
  else
    for (const Report& report : reports) news.notices.push_back(notice_of(report, services.options->server_name));
  for (const Report& report : reports) news.marks[report.kind->setting] = report.mark();  // those of a kind stand in their order
  co_return news;
}

awaitable<core::Result<void>> mark_abuse_told(command::Services& services, std::map<std::string, std::string> marks) {
  for (auto& [setting, value] : marks) {
    auto kept = co_await services.stores->settings.put(setting, value);
    if (!kept) co_return core::fail(kept.error());
  }
  co_return core::Result<void>();
}

}  // namespace steward::commands
