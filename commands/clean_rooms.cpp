// clean-rooms: deletes rooms that nobody on this server uses. Chosen by SQL with a reason for every room that is kept, deleted by
// Synapse's own API room by room, each looked at again directly before; what the API leaves behind is cleaned afterwards.
// I/O thread; the plan on the read session, the act on the work session. The manual page is clean_rooms.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/danger.hpp"
#include "commands/room_deletion.hpp"
#include "commands/room_selection.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Type;

namespace {

constexpr auto default_age = std::chrono::hours(24 * 30);
constexpr std::size_t shown_largest = 3;
constexpr std::size_t shown_examples = 3;
constexpr std::size_t shown_kept = 8;
constexpr std::size_t keys_at_a_time = 5000;
constexpr int most_in_flight = 5;  // Synapse runs no more of its tasks at once
constexpr int rooms_beside = 2;    // made ready, or tidied up after, while Synapse deletes those in flight
// Seen: 10 rooms of 25 events a second; 51 s for a room of 100 000.
constexpr auto time_per_room = std::chrono::microseconds(100'000);
constexpr auto time_per_event = std::chrono::microseconds(500);

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

// The plan carries what run() needs to judge a room as the plan did; what the config protects is read anew.
void store_choice(const RoomChoice& choice, const Arguments& arguments, jobs::Plan& plan) {
  std::vector<std::string> included, kept;
  for (const Reason reason : choice.included) included.emplace_back(word(reason));
  for (const core::RoomId& room : arguments.rooms("keep")) kept.push_back(room.str());
  plan.parameters["older_seconds"] = std::to_string(choice.older.count());
  plan.parameters["include"] = core::join(included, ",");
  plan.parameters["keep"] = core::join(kept, ",");
}

core::Result<RoomChoice> stored_choice(const jobs::Plan& plan, const Context& context) {
  RoomChoice choice = choice_of(context);
  const auto parameter = [&plan](const char* name) {
    const auto found = plan.parameters.find(name);
    return found == plan.parameters.end() ? std::string() : found->second;
  };
  const std::string older = parameter("older_seconds");
  if (older.empty()) return core::fail(core::Code::internal, "The plan does not say how old a room must be");
  choice.older = std::chrono::seconds(std::stoll(older));
  for (const std::string& each : core::split(parameter("include"), ','))
    if (const auto reason = parse_reason(each)) choice.included.insert(*reason);
  for (std::string& room : core::split(parameter("keep"), ','))
    if (!room.empty()) choice.protected_rooms.push_back(std::move(room));
  return choice;
}

struct KeyBackups { std::int64_t rows = 0, users = 0; };

struct Findings {
  RoomSelection selection;
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

core::Result<Findings> find(db::Transaction& transaction, const RoomChoice& choice, std::optional<std::int64_t> limit, bool dry_run) {
  Findings findings;
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

std::vector<std::string> card_lines(const Findings& findings, const RoomChoice& choice, std::int64_t events, const Context& context) {
  std::vector<std::string> lines;
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
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(time_per_room * count + time_per_event * events);
    lines.push_back("Time: about " + core::format_duration(time));
    lines.emplace_back("Last backup: none known to the bot");
  }
  return lines;
}

jobs::Item item_for(const RoomFacts& room, const std::map<std::string, KeyBackups>& keys) {
  const auto found = keys.find(room.room_id);
  const std::int64_t key_rows = found == keys.end() ? 0 : found->second.rows;
  return {.kind = "room", .target = room.room_id, .label = room.label, .bytes = {}, .rows = room.events,
          .note = fmt::format("{{\"encrypted\":{},\"key_backup_rows\":{}}}", room.encrypted, key_rows)};
}

jobs::Plan plan_for(const Findings& findings, const RoomChoice& choice, const Arguments& arguments, const Context& context) {
  jobs::Plan plan;
  plan.command = "clean-rooms";
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::destroys);
  plan.needs_writer = true;
  plan.bytes_exact = false;
  for (const RoomFacts* room : findings.going) {
    plan.rows += room->events;
    plan.items.push_back(item_for(*room, findings.keys));
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
  plan.lines = card_lines(findings, choice, plan.rows, context);
  plan.kept = kept_by_reason(findings, choice);
  store_choice(choice, arguments, plan);
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan(Arguments arguments, Context& context) {
  if (const std::string method = arguments.text("method"); !method.empty() && method != "api")
    co_return core::fail(core::Code::bad_input, "--method " + method + " comes later", "this version of the bot deletes rooms through Synapse's API only",
                         "leave it out");
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  auto allowed = db::allows_destruction(*schema);
  if (!allowed) co_return core::fail(allowed.error());
  const RoomChoice choice = choice_from(arguments, context);
  const std::optional<std::int64_t> limit = arguments.integer("limit");
  const bool dry_run = arguments.flag("dry-run");
  // Where most of the rooms would go the figures of the selection are all that is shown; names come after the check.
  auto work = [choice, limit, dry_run](db::Transaction& transaction) { return find(transaction, choice, limit, dry_run); };
  auto finding = (**read).transaction(std::move(work));
  auto found = co_await std::move(finding);
  if (!found) co_return core::fail(found.error());
  if (auto sound = check_memberships(found->selection); !sound) co_return core::fail(sound.error());
  if (auto few = check_share(*found, limit); !few) co_return core::fail(few.error());
  co_return plan_for(*found, choice, arguments, context);
}

std::string rows_line(const char* name, const TableRows& rows) {
  std::vector<std::string> parts;
  for (const auto& [table, count] : rows) parts.push_back(table + " " + core::format_count(count));
  return std::string(name) + ": " + core::join(parts, ", ");
}

std::string room_name(const db::ItemRow& item) { return item.label.empty() ? item.target : item.label + " (" + item.target + ")"; }

void add_items(std::vector<std::string>& lines, const char* name, const std::vector<db::ItemRow>& items) {
  for (std::size_t index = 0; index < items.size() && index < shown_kept; ++index)
    lines.push_back(fmt::format("{}: {}: {}", name, room_name(items[index]), items[index].error));
  if (items.size() > shown_kept) lines.push_back(fmt::format("{}: {} more, !log has them all", name, items.size() - shown_kept));
}

// Totals by the journal, so that they hold after a restart in the middle, too.
awaitable<core::Result<jobs::Receipt>> receipt_for(db::ItemTotals totals, const RoomDeletion& deletion, db::Session& work, std::int64_t job, Context& context) {
  const std::vector<std::string> done_state{"done"}, kept_state{"kept"}, failed_states{"failed", "unknown"};
  auto done = co_await context.stores().jobs.items(job, done_state, 0);
  if (!done) co_return core::fail(done.error());
  auto kept = co_await context.stores().jobs.items(job, kept_state, 0);
  if (!kept) co_return core::fail(kept.error());
  auto failed = co_await context.stores().jobs.items(job, failed_states, 0);
  if (!failed) co_return core::fail(failed.error());
  TableRows rows, leftovers;
  std::vector<std::string> ids;
  for (const db::ItemRow& item : *done) {
    read_rows(item.error, rows, leftovers);
    ids.push_back(item.target);
  }
  jobs::Receipt receipt;
  receipt.title = fmt::format("{} deleted, {} gone", core::plural(totals.done, "room", "rooms"), core::plural(totals.done_rows, "row", "rows"));
  const std::int64_t not_cleaned = std::exchange(leftovers["not_cleaned"], 0);
  leftovers.erase("not_cleaned");
  if (!rows.empty()) receipt.lines.push_back(rows_line("Rows", rows));
  if (!done->empty()) receipt.lines.push_back(leftovers.empty() ? "Leftovers: none" : rows_line("Leftovers cleaned", leftovers));
  if (not_cleaned > 0) receipt.lines.push_back(fmt::format("Leftovers not cleaned: of {}, !log says why", core::plural(not_cleaned, "room", "rooms")));
  add_items(receipt.lines, "Kept", *kept);
  add_items(receipt.lines, "Failed", *failed);
  if (totals.planned + totals.acting > 0) receipt.lines.push_back(fmt::format("Left: {} not touched", core::plural(totals.planned + totals.acting, "room", "rooms")));
  if (!deletion.unfinished().empty()) receipt.lines.push_back("Synapse still finishes: " + core::join(deletion.unfinished(), ", ") + "; !resume looks after them");
  receipt.complete = totals.failed + totals.unknown + totals.planned + totals.acting + not_cleaned == 0;
  if (ids.empty()) co_return receipt;
  db::Arguments arguments;
  arguments.emplace_back("rooms", db::bind_array(ids));
  auto present = co_await work.query(db::sql::rooms_present, std::move(arguments));
  if (!present) receipt.lines.push_back("Verified: not, " + core::describe(present.error()));
  else if (present->empty()) receipt.lines.push_back(fmt::format("Verified: none of the {} is in Synapse's table of rooms", core::plural(totals.done, "room", "rooms")));
  else receipt.lines.push_back(fmt::format("Verified: {} of them there again: joined anew, or not deleted", core::plural(static_cast<long long>(present->size()), "is", "are")));
  co_return receipt;
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  auto work = context.work();
  if (!work) co_return core::fail(work.error());
  auto choice = stored_choice(plan, context);
  if (!choice) co_return core::fail(choice.error());
  auto before = co_await danger_signs(**work);
  const int in_flight = std::clamp(context.options().rooms_in_flight, 1, most_in_flight);
  RoomDeletion deletion(context, **work, progress, std::move(*choice), in_flight);
  jobs::Progress::Act act = [&deletion](db::ItemRow item) { return deletion.act(std::move(item)); };
  jobs::Progress::Act settle = [&deletion](db::ItemRow item) { return deletion.settle(std::move(item)); };
  auto totals = co_await progress.for_each_item("rooms", in_flight + rooms_beside, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  auto receipt = co_await receipt_for(*totals, deletion, **work, progress.job(), context);
  if (!receipt || progress.stopping()) co_return receipt;
  auto after = co_await danger_signs(**work);
  receipt->lines.push_back(danger_line(before, after));
  co_return receipt;
}

}  // namespace

Command clean_rooms() {
  using command::option;
  Command command;
  command.spec.name = "clean-rooms";
  command.spec.alias = "cr";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "Delete rooms that nobody on this server is in";
  command.spec.level = Level::destroys;
  command.spec.safe_while_running = "yes, slower; a few rooms at a time";
  command.spec.sources = "A S";
  auto older = option("older", Type::age, "only rooms that received no event for this long");
  older.default_text = "30d";
  command.spec.arguments = {
      command::standard::dry_run(),
      std::move(older),
      command::standard::limit(),
      command::repeated_option("keep", Type::room, "keep these rooms"),
      command::repeated_option("include", Type::choice, "also rooms that are kept for this reason", includable_words()),
      command::choice_option("method", {"api", "hybrid", "offline"}, "how rooms are deleted", "api"),
  };
  command.spec.examples = {{"clean-rooms --dry-run", "what would go, what is kept and why"},
                           {"clean-rooms --older 1y --limit 50", "the fifty longest unused"},
                           {"clean-rooms --include left,aliased", "also rooms left but not forgotten, and with a local alias"}};
  command.manual = manual("clean_rooms");
  command.plan = plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
