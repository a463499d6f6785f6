// The plan of clean-rooms: what goes by which method, what is kept and why. I/O thread; SQL on the read session.
#include "commands/clean_rooms.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "command/verification.hpp"
#include "commands/room_emptying.hpp"
#include "commands/room_selection.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "db/offline_guard.hpp"
#include "db/room_tables.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Context;
using command::Level;

namespace {

constexpr auto default_age = std::chrono::hours(24 * 30);
constexpr std::size_t shown_largest = 3;
constexpr std::size_t shown_examples = 3;
constexpr std::size_t shown_hybrid = 5;
constexpr std::size_t keys_at_a_time = 5000;
// Seen: 10 rooms of 25 events a second; 51 s for a room of 100 000.
constexpr auto time_per_room = std::chrono::microseconds(100'000);
constexpr auto time_per_event = std::chrono::microseconds(500);
constexpr auto time_per_hybrid_room = std::chrono::microseconds(1'000'000), time_per_hybrid_event = std::chrono::microseconds(250);
constexpr auto time_per_offline_event = std::chrono::microseconds(200);

RoomChoice choice_of(const Context& context) {
  RoomChoice choice;
  choice.server_name = context.options().server_name;
  choice.protected_rooms = context.options().keep_rooms;
  choice.protected_rooms.push_back(context.services.admin_room().str());
  return choice;
}

RoomChoice choice_from(const Arguments& arguments, const Context& context) {
  RoomChoice choice = choice_of(context);
  choice.older = arguments.age("older").value_or(default_age);
  for (const std::string& each : arguments.list("include"))
    if (const auto reason = parse_reason(each)) choice.included.insert(*reason);
  for (const core::RoomId& room : arguments.rooms("keep")) choice.protected_rooms.push_back(room.str());
  return choice;
}

std::string parameter(const jobs::Plan& plan, const char* name) {
  const auto found = plan.parameters.find(name);
  return found == plan.parameters.end() ? std::string() : found->second;
}

Method method_of(std::string_view text) {
  for (const Method method : {Method::hybrid, Method::offline})
    if (word(method) == text) return method;
  return Method::api;
}

void store_choice(const RoomChoice& choice, const Arguments& arguments, jobs::Plan& plan) {
  std::vector<std::string> included, kept;
  for (const Reason reason : choice.included) included.emplace_back(word(reason));
  for (const core::RoomId& room : arguments.rooms("keep")) kept.push_back(room.str());
  plan.parameters["older_seconds"] = std::to_string(choice.older.count());
  plan.parameters["include"] = core::join(included, ",");
  plan.parameters["keep"] = core::join(kept, ",");
  plan.parameters["method"] = word(method_of(arguments.text("method")));
}

bool is_large(const RoomFacts& room, const Context& context) { return room.events >= context.options().large_room; }

struct KeyBackups { std::int64_t rows = 0, users = 0; };

struct Findings {
  RoomSelection selection;
  db::RoomTablesHere tables;
  std::vector<RoomFacts*> going;   // the longest unused first
  std::size_t found = 0;           // before --limit
  std::map<std::string, KeyBackups> keys;
  std::optional<std::int64_t> bytes_per_event;
};

std::vector<RoomFacts*> largest_of(const std::vector<RoomFacts*>& rooms) {
  std::vector<RoomFacts*> sorted = rooms;
  const auto count = std::min(shown_largest, sorted.size());
  std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count), sorted.end(),
                    [](const RoomFacts* a, const RoomFacts* b) { return a->events > b->events; });
  sorted.resize(count);
  return sorted;
}

// A plan names every room, a dry run those that it shows.
std::vector<RoomFacts*> to_be_named(Findings& findings, const RoomChoice& choice, bool dry_run) {
  std::vector<RoomFacts*> rooms = dry_run ? largest_of(findings.going) : findings.going;
  std::map<Reason, std::size_t> named;
  for (RoomFacts& room : findings.selection.rooms) {
    const auto reason = kept_for(room, choice);
    if (reason && named[*reason]++ < shown_examples) rooms.push_back(&room);
  }
  return rooms;
}

core::Result<void> count_keys(db::Transaction& transaction, Findings& findings) {
  std::vector<std::string> encrypted;
  for (const RoomFacts* room : findings.going)
    if (room->encrypted) encrypted.push_back(room->room_id);
  for (std::size_t start = 0; start < encrypted.size(); start += keys_at_a_time) {
    const auto first = encrypted.begin() + static_cast<std::ptrdiff_t>(start);
    const auto last = encrypted.begin() + static_cast<std::ptrdiff_t>(std::min(encrypted.size(), start + keys_at_a_time));
    auto rows = transaction.exec(db::sql::rooms_key_backups, {{"rooms", db::bind_array(std::vector<std::string>(first, last))}});
    if (!rows) return core::fail(rows.error());
    for (const db::Row& row : *rows) findings.keys[row.text("room_id")] = {row.integer("keys"), row.integer("users")};
  }
  return {};
}

core::Result<Findings> find(db::Transaction& transaction, const RoomChoice& choice, std::optional<std::int64_t> limit, bool dry_run, int schema_version) {
  Findings findings;
  auto tables = db::room_tables_here(transaction, schema_version);
  if (!tables) return core::fail(tables.error());
  findings.tables = std::move(*tables);
  auto selection = select_rooms(transaction, choice);
  if (!selection) return core::fail(selection.error());
  findings.selection = std::move(*selection);
  for (RoomFacts& room : findings.selection.rooms)
    if (!kept_for(room, choice)) findings.going.push_back(&room);
  findings.found = findings.going.size();
  if (limit && static_cast<std::size_t>(*limit) < findings.going.size()) findings.going.resize(static_cast<std::size_t>(*limit));
  if (auto named = label_rooms(transaction, to_be_named(findings, choice, dry_run)); !named) return core::fail(named.error());
  if (auto counted = count_keys(transaction, findings); !counted) return core::fail(counted.error());
  auto bytes = transaction.exec(db::sql::rooms_bytes_per_event, {});
  if (!bytes) return core::fail(bytes.error());
  if (!bytes->front().is_null("bytes")) findings.bytes_per_event = bytes->front().integer("bytes");
  return findings;
}

// Over half of the rooms: more likely a fault in the membership tables than a wish. Small parts of it may be asked for.
core::Result<void> check_share(const Findings& findings, std::optional<std::int64_t> limit) {
  const auto unused = static_cast<std::int64_t>(findings.selection.rooms.size());
  const std::int64_t all = findings.selection.all_rooms;
  if (unused * 2 <= all) return {};
  if (limit && *limit * 10 <= all) return {};
  return core::fail(core::Code::conflict, fmt::format("{} of {} rooms have no local member: more than half", core::format_count(unused), core::format_count(all)),
                    "that looks like a fault in the membership tables, so nothing is planned",
                    fmt::format("if it is right, take small parts: --limit {}", std::max<std::int64_t>(1, all / 10)));
}

std::vector<jobs::Kept> kept_by_reason(const Findings& findings, const RoomChoice& choice) {
  std::map<Reason, jobs::Kept> by_reason;
  for (const RoomFacts& room : findings.selection.rooms) {
    const auto reason = kept_for(room, choice);
    if (!reason) continue;
    jobs::Kept& kept = by_reason[*reason];
    ++kept.count;
    if (kept.examples.size() < shown_examples && !room.label.empty()) kept.examples.push_back(room.label);
  }
  std::vector<jobs::Kept> list;
  for (auto& [reason, kept] : by_reason) {
    kept.reason = word(reason);
    kept.text = reason == Reason::recent ? fmt::format("used in the last {}", core::format_age(choice.older)) : std::string(explanation(reason));
    list.push_back(std::move(kept));
  }
  return list;
}

// What each --include would add by itself.
std::string include_line(const Findings& findings, const RoomChoice& choice) {
  std::map<Reason, std::int64_t> added;
  for (const RoomFacts& room : findings.selection.rooms) {
    std::optional<Reason> only;
    int others = 0;
    for (const Reason reason : room.reasons) {
      if (choice.included.contains(reason)) continue;
      only = reason;
      ++others;
    }
    if (others == 1 && *only >= first_includable) ++added[*only];
  }
  std::vector<std::string> parts;
  for (const auto& [reason, count] : added) parts.push_back(fmt::format("{} +{}", word(reason), core::format_count(count)));
  return parts.empty() ? std::string() : "With --include: " + core::join(parts, ", ");
}

std::string largest_line(const Findings& findings) {
  std::vector<std::string> parts;
  for (const RoomFacts* room : largest_of(findings.going))
    parts.push_back(fmt::format("{} ({}) {}", room->label, room->room_id, core::plural(room->events, "event", "events")));
  return "Largest: " + core::join(parts, " · ");
}

std::vector<std::string> method_lines(const Findings& findings, Method method, const Context& context) {
  std::vector<std::string> lines, large;
  const auto count = static_cast<long long>(findings.going.size());
  if (method == Method::offline)
    lines.emplace_back("Method: offline. Set-wise by SQL while Synapse is stopped; it cannot start before the end");
  if (method == Method::hybrid) {
    for (const RoomFacts* room : findings.going)
      if (is_large(*room, context)) large.push_back(fmt::format("{} ({})", room->label.empty() ? "(no name)" : room->label, room->room_id));
    const auto large_count = static_cast<long long>(large.size());
    lines.push_back(fmt::format("Method: hybrid for {} with {} events or more, api for the {} others", core::plural(large_count, "room", "rooms"),
                                core::format_count(context.options().large_room), core::format_count(count - large_count)));
    if (large.size() > shown_hybrid) {
      large.resize(shown_hybrid);
      large.push_back(fmt::format("{} more", large_count - static_cast<long long>(shown_hybrid)));
    }
    if (!large.empty()) lines.push_back("Hybrid, blocked while they are emptied: " + core::join(large, " · "));
  }
  if (method != Method::api && !findings.tables.missing.empty())
    lines.push_back("Tables that this server lacks, skipped: " + core::join(findings.tables.missing, ", "));
  if (!findings.tables.unknown.empty())
    lines.push_back("Tables that the bot does not know, left alone: " + core::join(findings.tables.unknown, ", "));
  return lines;
}

std::chrono::microseconds expected_time(const Findings& findings, Method method, const Context& context) {
  std::chrono::microseconds time{};
  for (const RoomFacts* room : findings.going) {
    const bool by_api = method == Method::api || (method == Method::hybrid && !is_large(*room, context));
    time += (by_api ? time_per_room : method == Method::hybrid ? time_per_hybrid_room : std::chrono::microseconds(0)) +
            (by_api ? time_per_event : method == Method::hybrid ? time_per_hybrid_event : time_per_offline_event) * room->events;
  }
  return time;
}

std::vector<std::string> card_lines(const Findings& findings, const RoomChoice& choice, Method method, std::int64_t events, const Context& context) {
  std::vector<std::string> lines = method_lines(findings, method, context);
  const auto count = static_cast<std::int64_t>(findings.going.size());
  if (count > 0) {
    std::string rows = fmt::format("Content: {} with their rows in the other tables", core::plural(events, "event", "events"));
    if (findings.bytes_per_event)
      rows += fmt::format("; ≈ {} free for reuse, 0 returned to the disk without !vacuum-full", core::format_size(core::Bytes{events * *findings.bytes_per_event}));
    lines.push_back(std::move(rows));
    lines.push_back(largest_line(findings));
  }
  KeyBackups keys;
  for (const auto& [room, each] : findings.keys) {
    keys.rows += each.rows;
    keys.users = std::max(keys.users, each.users);
  }
  if (keys.rows > 0)
    lines.push_back(fmt::format("Key backup: {} of users' encrypted-message keys in {} are deleted with them", core::plural(keys.rows, "row", "rows"),
                                core::plural(static_cast<long long>(findings.keys.size()), "room", "rooms")));
  if (static_cast<double>(count) > context.options().share * static_cast<double>(findings.selection.all_rooms))
    lines.push_back(fmt::format("Share: {} % of all rooms", count * 100 / std::max<std::int64_t>(1, findings.selection.all_rooms)));
  if (std::string include = include_line(findings, choice); !include.empty()) lines.push_back(std::move(include));
  if (count > 0) {
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(expected_time(findings, method, context));
    lines.push_back("Time: about " + core::format_duration(time));
    lines.emplace_back("Last backup: none known to the bot");
  }
  return lines;
}

jobs::Item item_for(const RoomFacts& room, bool hybrid) {
  return {.kind = "room", .target = room.room_id, .label = room.label, .bytes = {}, .rows = room.events,
          .note = hybrid ? EmptyingNote().text() : std::string()};
}

jobs::Plan plan_for(const Findings& findings, const RoomChoice& choice, const Arguments& arguments, const Context& context) {
  const Method method = method_of(arguments.text("method"));
  jobs::Plan plan;
  plan.needs_synapse = method != Method::offline;
  plan.command = "clean-rooms";
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::destroys);
  plan.needs_writer = true;
  plan.bytes_exact = false;
  std::vector<const RoomFacts*> order(findings.going.begin(), findings.going.end());
  // Large rooms first: one that was begun is then the first open item when the job goes on.
  if (method == Method::hybrid)
    std::stable_partition(order.begin(), order.end(), [&context](const RoomFacts* room) { return is_large(*room, context); });
  for (const RoomFacts* room : order) {
    plan.rows += room->events;
    plan.items.push_back(item_for(*room, method == Method::hybrid && is_large(*room, context)));
    plan.locks.push_back("room:" + room->room_id);
  }
  const auto going = static_cast<std::int64_t>(findings.going.size());
  const std::string unused = fmt::format("{} of {} rooms have no local member", core::format_count(static_cast<std::int64_t>(findings.selection.rooms.size())),
                                         core::format_count(findings.selection.all_rooms));
  plan.title = going == 0 ? unused + "; none of them may go"
                          : fmt::format("{}; {} unused for {} or longer would be deleted", unused, core::format_count(going), core::format_age(choice.older));
  if (findings.found > findings.going.size())
    plan.title += fmt::format(" (of {}, the longest unused first)", core::format_count(static_cast<std::int64_t>(findings.found)));
  plan.word = std::to_string(going);
  plan.lines = card_lines(findings, choice, method, plan.rows, context);
  plan.kept = kept_by_reason(findings, choice);
  store_choice(choice, arguments, plan);
  return plan;
}

// Said before anybody confirms; the act proves it again.
awaitable<core::Result<void>> check_stopped(db::Session& read, Context& context) {
  if (!context.terminal)
    co_return core::fail(core::Code::conflict, "--method offline needs Synapse stopped, and then there is no room to talk in",
                         "it works on Synapse's tables, where a running Synapse must not be",
                         "!maintenance clean-rooms --method offline stops it for you; or stop it, then in a terminal: steward exec 'clean-rooms --method offline'");
  auto others = co_await db::other_sessions(read);
  if (!others) co_return core::fail(others.error());
  if (!others->empty()) co_return core::fail(db::refused_for(*others));
  co_return co_await command::verify_stopped_database(context.services);
}

}  // namespace

std::string_view word(Method method) {
  switch (method) {
    case Method::api: return "api";
    case Method::hybrid: return "hybrid";
    case Method::offline: return "offline";
  }
  return "";
}

Method stored_method(const jobs::Plan& plan) { return method_of(parameter(plan, "method")); }

core::Result<RoomChoice> stored_choice(const jobs::Plan& plan, const Context& context) {
  RoomChoice choice = choice_of(context);
  const std::string older = parameter(plan, "older_seconds");
  if (older.empty()) return core::fail(core::Code::internal, "The plan does not say how old a room must be");
  choice.older = std::chrono::seconds(std::stoll(older));
  for (const std::string& each : core::split(parameter(plan, "include"), ','))
    if (const auto reason = parse_reason(each)) choice.included.insert(*reason);
  for (std::string& room : core::split(parameter(plan, "keep"), ','))
    if (!room.empty()) choice.protected_rooms.push_back(std::move(room));
  return choice;
}

awaitable<core::Result<jobs::Plan>> plan_clean_rooms(Arguments arguments, Context& context) {
  return plan_clean_rooms_within(std::move(arguments), RoomFilter(), context);
}

awaitable<core::Result<jobs::Plan>> plan_clean_rooms_within(Arguments arguments, RoomFilter filter, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  if (method_of(arguments.text("method")) == Method::offline && !arguments.flag("dry-run") && !context.window) {
    auto stopped = co_await check_stopped(**read, context);
    if (!stopped) co_return core::fail(stopped.error());
  }
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  auto allowed = db::allows_destruction(*schema);
  if (!allowed) co_return core::fail(allowed.error());
  RoomChoice choice = choice_from(arguments, context);
  choice.filter = filter;
  const std::optional<std::int64_t> limit = arguments.integer("limit");
  const bool dry_run = arguments.flag("dry-run");
  // Where most of the rooms would go the figures of the selection are all that is shown; names come after the check.
  auto work = [choice, limit, dry_run, version = schema->version](db::Transaction& transaction) { return find(transaction, choice, limit, dry_run, version); };
  auto finding = (**read).transaction(std::move(work));
  auto found = co_await std::move(finding);
  if (!found) co_return core::fail(found.error());
  if (auto sound = check_memberships(found->selection); !sound) co_return core::fail(sound.error());
  if (auto few = check_share(*found, limit); !few) co_return core::fail(few.error());
  co_return plan_for(*found, choice, arguments, context);
}

}  // namespace steward::commands
