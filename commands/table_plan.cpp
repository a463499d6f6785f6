#include "commands/table_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "commands/maintenance.hpp"
#include "commands/room_deletion.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;

namespace {

constexpr std::size_t shown_examples = 3;
constexpr std::size_t shown_candidates = 8;
constexpr std::int64_t old_transaction = 60;
constexpr std::int64_t rewritten_a_second = std::int64_t{20} << 20;  // a modest guess for a disk that others use, too

// What every message, sync or login touches: while one of these is locked the homeserver stands still, and the bot with it.
constexpr std::array<std::string_view, 34> vital_tables{
    "access_tokens", "account_data", "application_services_state", "application_services_txns", "current_state_delta_stream",
    "current_state_events", "devices", "event_auth", "event_edges", "event_forward_extremities", "event_json", "event_push_actions",
    "event_push_actions_staging", "event_push_summary", "event_relations", "event_search", "event_to_state_groups",
    "event_txn_id_device_id", "events", "local_current_membership", "receipts_linearized", "room_account_data", "room_depth",
    "room_memberships", "rooms", "sliding_sync_joined_rooms", "sliding_sync_membership_snapshots", "state_events", "state_group_edges",
    "state_groups", "state_groups_state", "stream_ordering_to_exterm", "stream_positions", "users"};

core::Error not_allowed(const std::string& table) {
  return {core::Code::not_allowed, "The bot's database role may not maintain " + table, "only its owner may",
          "connect the bot with the role that owns Synapse's tables (`database.synapse`), or GRANT it that role", {}};
}

core::Result<FoundTables> find(db::Transaction& transaction, const std::string& name) {
  FoundTables found;
  auto tables = read_tables(transaction, name);
  if (!tables) return core::fail(tables.error());
  if (tables->empty()) {
    auto error = no_such_name(transaction, name, /*or_index=*/false);
    if (!error) return core::fail(error.error());
    return core::fail(std::move(*error));
  }
  found.tables = std::move(*tables);
  auto host = read_host(transaction);
  if (!host) return core::fail(host.error());
  found.host = std::move(*host);
  if (!name.empty() && !found.tables.front().allowed) return core::fail(not_allowed(name));
  return found;
}

}  // namespace

bool is_vital(const std::string& name) { return std::find(vital_tables.begin(), vital_tables.end(), name) != vital_tables.end(); }

awaitable<core::Result<FoundTables>> find_tables(std::string name, Context& context) {
  auto sessions = check_sessions(context);
  if (!sessions) co_return core::fail(sessions.error());
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto work = [name = std::move(name)](db::Transaction& transaction) { return find(transaction, name); };
  auto finding = (**read).transaction(std::move(work));
  co_return co_await std::move(finding);
}

void add_table(jobs::Plan& plan, const SpaceTable& table) {
  plan.items.push_back({.kind = "table", .target = table.name, .label = table.name, .bytes = core::Bytes{table.total}, .rows = table.dead,
                        .note = std::to_string(table.filenode)});
  plan.locks.push_back("table:" + table.name);
  plan.bytes += core::Bytes{table.total};
  plan.rows += table.dead;
}

void keep(jobs::Plan& plan, const char* reason, const char* text, const SpaceTable& table) {
  auto found = std::find_if(plan.kept.begin(), plan.kept.end(), [reason](const jobs::Kept& kept) { return kept.reason == reason; });
  if (found == plan.kept.end()) found = plan.kept.insert(plan.kept.end(), {.reason = reason, .text = text, .count = 0, .bytes = {}, .examples = {}});
  ++found->count;
  if (found->examples.size() < shown_examples) found->examples.push_back(table.name);
}

std::chrono::milliseconds rewrite_time(std::int64_t bytes) { return std::chrono::seconds(1 + bytes / rewritten_a_second); }

std::string time_line(std::chrono::milliseconds time) { return "Time: about " + core::format_duration(time) + ", a guess"; }

void add_transaction_line(jobs::Plan& plan, const SpaceHost& host, const char* what) {
  if (host.oldest_transaction >= old_transaction)
    plan.lines.push_back(fmt::format("Oldest transaction: open for {}; {}", core::format_age(std::chrono::seconds(host.oldest_transaction)), what));
}


std::string returned_line(const SpaceTable& table) {
  const auto returned = expected_return(table);
  return returned ? "Returned: ≈ " + core::format_size(*returned) + " to the disk, by estimate" : "Returned: not known, the table was never analysed (!analyze " + table.name + ")";
}

core::Bytes rewrite_needs(const SpaceTable& table) { return core::Bytes{table.total * 2}; }

std::string rewrite_disk_line(const SpaceTable& table, const SpaceHost& host) {
  return fmt::format("Disk: up to {} more while it runs, and the same of write-ahead log{}", core::format_size(core::Bytes{table.total}),
                     host.slots > 0 ? fmt::format(", which {} kept by replication slots may hold on to", core::plural(host.slots, "copy", "copies")) : "");
}

jobs::Plan list_candidates(jobs::Plan plan, const std::vector<SpaceTable>& all, const char* of_vital) {
  const std::vector<SpaceTable> tables = by_expected_return(all);
  plan.title = tables.empty() ? "No table would return a megabyte or more; !analyze makes the estimate fresh" : "Name one table. By estimate these would return most:";
  for (std::size_t index = 0; index < tables.size() && index < shown_candidates; ++index) {
    const SpaceTable& table = tables[index];
    plan.lines.push_back(fmt::format("{}: ≈ {} of {}{}", table.name, core::format_size(*expected_return(table)), core::format_size(core::Bytes{table.total}), is_vital(table.name) ? of_vital : ""));
  }
  return plan;
}

jobs::ItemOutcome table_outcome(const SpaceTable& before, const SpaceTable& after, std::chrono::milliseconds took) {
  jobs::ItemOutcome done;
  done.rows = std::max<std::int64_t>(0, before.dead - after.dead);
  done.bytes.count = std::max<std::int64_t>(0, before.total - after.total);
  done.text = write_rows({{"rows", after.rows}, {"before", before.total}, {"after", after.total}, {"left_dead", after.dead}, {"reusable", after.wasted.value_or(0)}}, {});
  done.notice = fmt::format("{} removed, {}, {}", core::plural(done.rows, "dead row", "dead rows"), change(before.total, after.total), core::format_duration(took));
  return done;
}

void add_table_lines(jobs::Receipt& receipt, RunResult& result, std::int64_t dead_rows) {
  receipt.title += fmt::format(": {} removed, {} returned to the disk", core::plural(dead_rows, "dead row", "dead rows"), core::format_size(core::Bytes{result.returned}));
  for (std::string& line : result.changes) receipt.lines.push_back(std::move(line));
  if (result.done == 0) return;
  receipt.lines.push_back("Rows: " + core::format_count(result.sum["rows"]) + " living");
  receipt.lines.push_back(fmt::format("Reusable: ≈ {} inside the files, by estimate", core::format_size(core::Bytes{result.sum["reusable"]})));
  if (result.sum["left_dead"] > 0) receipt.lines.push_back(fmt::format("Dead rows there now: {}; new, or still to be seen by an open transaction", core::format_count(result.sum["left_dead"])));
  receipt.lines.emplace_back("Verified: sizes and dead rows were read again from the catalogue after each table");
}

}  // namespace steward::commands
