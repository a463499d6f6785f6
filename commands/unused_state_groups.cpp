#include "commands/unused_state_groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

constexpr std::size_t most_groups = 1'000'000;  // eight bytes each, and as much again in the journal
constexpr std::size_t groups_at_a_time = 1000;
constexpr auto apart = std::chrono::hours(1);
constexpr int jobs_to_look_at = 200;

}  // namespace

std::string bind_groups(const std::vector<std::int64_t>& groups) {
  std::string text = "{";
  for (const std::int64_t group : groups) text += (text.size() > 1 ? "," : "") + std::to_string(group);
  return text + "}";
}

awaitable<core::Result<UnusedStateGroups>> find_unused_state_groups(db::Session& read, std::chrono::milliseconds allowed) {
  const auto started = std::chrono::steady_clock::now();
  UnusedStateGroups found;
  std::unordered_set<std::string> unused;
  for (std::int64_t before = std::numeric_limits<std::int64_t>::max();;) {
    db::Arguments arguments;
    arguments.emplace_back("before", db::bind(before));
    auto rows = co_await read.query(db::sql::state_unused, std::move(arguments));
    if (!rows) co_return core::fail(rows.error());
    if (rows->front().is_null("last")) break;
    before = rows->front().integer("last");
    found.seen += rows->front().integer("seen");
    for (const db::Row& row : *rows) {
      if (row.is_null("id")) continue;
      const std::vector<std::string> built_on = row.list("built_on");
      if (!std::all_of(built_on.begin(), built_on.end(), [&unused](const std::string& group) { return unused.contains(group); })) continue;
      unused.insert(row.text("id"));
      if (row.boolean("marked")) ++found.marked;
      else found.unmarked.push_back(row.integer("id"));
    }
    found.whole = unused.size() < most_groups && std::chrono::steady_clock::now() - started < allowed;
    if (!found.whole) break;
  }
  std::reverse(found.unmarked.begin(), found.unmarked.end());
  co_return found;
}

awaitable<core::Result<std::int64_t>> count_state_rows(db::Session& read, std::vector<std::int64_t> groups) {
  std::int64_t count = 0;
  for (std::size_t start = 0; start < groups.size(); start += groups_at_a_time) {
    const auto first = groups.begin() + static_cast<std::ptrdiff_t>(start);
    const auto last = groups.begin() + static_cast<std::ptrdiff_t>(std::min(groups.size(), start + groups_at_a_time));
    db::Arguments arguments;
    arguments.emplace_back("groups", bind_groups(std::vector<std::int64_t>(first, last)));
    auto rows = co_await read.query(db::sql::state_unused_rows, std::move(arguments));
    if (!rows) co_return core::fail(rows.error());
    count += rows->front().integer("state_rows");
  }
  co_return count;
}

awaitable<core::Result<void>> keep_an_hour_from(std::string other, command::Context& context) {
  auto jobs = co_await context.stores().jobs.recent(jobs_to_look_at);
  if (!jobs) co_return core::fail(jobs.error());
  for (const db::JobRow& job : *jobs) {
    if (job.command != other || job.started_ago < std::chrono::seconds::zero()) continue;  // never begun
    const bool ended = job.finished_ago >= std::chrono::seconds::zero();
    if (ended && job.finished_ago >= apart) continue;
    const std::string when = ended ? "ended " + core::format_age(job.finished_ago) + " ago" : "is not at its end";
    const std::string next = ended ? "try again in " + core::format_age(apart - job.finished_ago) : fmt::format("wait for it, and an hour more; !job {} shows it", job.number);
    co_return core::fail(core::Code::conflict, fmt::format("!{} needs an hour to itself, and job {} {}", other, job.number, when),
                         "both change how state is stored, and Synapse may remember for a while how it was", next);
  }
  co_return core::Result<void>();
}

}  // namespace steward::commands
