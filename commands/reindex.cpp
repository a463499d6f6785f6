// reindex: builds the indexes of a table, or one index, anew beside the old ones. One index at a time and always concurrently, so
// that reading and writing go on; what a cancelled rebuild leaves behind is found and dropped. I/O thread; the plan on the read
// session. The manual page is reindex.md.
#include "commands/reindex.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/all.hpp"
#include "commands/room_deletion.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Type;
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr const char* index_kind = "index";
constexpr const char* leftover_kind = "leftover";
constexpr std::int64_t built_a_second = std::int64_t{20} << 20;
constexpr std::int64_t old_transaction = 60;
constexpr std::size_t shown_leftovers = 3;
// A rebuild waits for every transaction that is older than it, and holds up nobody meanwhile.
constexpr Maintenance::Limits rebuild_limits{std::chrono::hours(12), std::chrono::minutes(10)};
// Tidying up after a cancel has to be quick; what it does not get the next !reindex drops.
constexpr Maintenance::Limits drop_limits{std::chrono::minutes(1), std::chrono::milliseconds(500)};

struct Found {
  std::vector<SpaceIndex> indexes;
  SpaceHost host;
  bool by_index = false;  // the name is an index's
};

core::Result<Found> find(db::Transaction& transaction, const std::string& name) {
  Found found;
  auto of_table = read_indexes(transaction, name, "");
  if (!of_table) return core::fail(of_table.error());
  found.indexes = std::move(*of_table);
  if (found.indexes.empty()) {
    auto one = read_indexes(transaction, "", name);
    if (!one) return core::fail(one.error());
    found.indexes = std::move(*one);
    found.by_index = true;
  }
  if (found.indexes.empty()) {
    auto table = read_tables(transaction, name);
    if (!table) return core::fail(table.error());
    found.by_index = false;
    if (table->empty()) {
      auto error = no_such_name(transaction, name, /*or_index=*/true);
      if (!error) return core::fail(error.error());
      return core::fail(std::move(*error));
    }
  }
  auto host = read_host(transaction);
  if (!host) return core::fail(host.error());
  found.host = std::move(*host);
  return found;
}

void keep(jobs::Plan& plan, const char* reason, const char* text, const SpaceIndex& index) {
  auto found = std::find_if(plan.kept.begin(), plan.kept.end(), [reason](const jobs::Kept& kept) { return kept.reason == reason; });
  if (found == plan.kept.end()) found = plan.kept.insert(plan.kept.end(), {.reason = reason, .text = text, .count = 0, .bytes = {}, .examples = {}});
  ++found->count;
  found->examples.push_back(index.name);
}

struct Chosen {
  std::vector<std::string> leftovers;
  const SpaceIndex* largest = nullptr;
  std::int64_t indexes = 0;
};

Chosen choose(const Found& found, jobs::Plan& plan) {
  Chosen chosen;
  for (const SpaceIndex& index : found.indexes) {
    if (index.busy) {
      keep(plan, "busy", "on a table where an index is being built right now", index);
      continue;
    }
    // An index of its own that was never finished is Synapse's to finish, unless it is asked for by name.
    if (!index.valid && !index.leftover && !found.by_index) {
      keep(plan, "invalid", "never finished; !reindex and its name builds it", index);
      continue;
    }
    plan.items.push_back({.kind = index.leftover ? leftover_kind : index_kind, .target = index.name, .label = index.name,
                          .bytes = core::Bytes{index.bytes}, .rows = 0, .note = std::to_string(index.filenode)});
    plan.locks.push_back("index:" + index.name);
    if (index.leftover) {
      chosen.leftovers.push_back(index.name);
      continue;
    }
    ++chosen.indexes;
    plan.bytes += core::Bytes{index.bytes};
    if (!chosen.largest || index.bytes > chosen.largest->bytes) chosen.largest = &index;
  }
  // The junk first: its space may be needed.
  std::stable_partition(plan.items.begin(), plan.items.end(), [](const jobs::Item& item) { return item.kind == leftover_kind; });
  return chosen;
}

std::string some(std::vector<std::string> names) {
  const std::size_t all = names.size();
  if (all > shown_leftovers) names.resize(shown_leftovers);
  return core::join(names, ", ") + (all > shown_leftovers ? fmt::format(" and {} more", all - shown_leftovers) : "");
}

core::Result<jobs::Plan> plan_for(const Found& found, const std::string& name, const Arguments& arguments) {
  jobs::Plan plan;
  plan.command = "reindex";
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::slows);
  plan.needs_writer = true;
  if (found.indexes.empty()) {
    plan.title = name + " has no index";
    return plan;
  }
  if (!found.indexes.front().allowed)
    return core::fail(core::Code::not_allowed, "The bot's database role may not maintain " + found.indexes.front().table, "only its owner may",
                      "connect the bot with the role that owns Synapse's tables (`database.synapse`), or GRANT it that role");
  const Chosen chosen = choose(found, plan);
  if (chosen.largest) {
    // The copy and its write-ahead log.
    auto room = check_disk(disk_of(found.host, chosen.largest->location), core::Bytes{chosen.largest->bytes * 2});
    if (!room) return core::fail(room.error());
  }
  const std::string what = found.by_index ? "of " + found.indexes.front().table : "of " + name;
  plan.title = chosen.indexes > 0 ? fmt::format("{} {} ({}) would be built anew", core::plural(chosen.indexes, "index", "indexes"), what, core::format_size(plan.bytes))
                                  : fmt::format("No index {} would be built anew", what);
  if (!chosen.leftovers.empty()) plan.lines.push_back("Leftovers of a cancelled reindex, dropped first: " + some(chosen.leftovers));
  if (found.host.toast_leftovers > 0)
    plan.lines.push_back(fmt::format("Leftovers in pg_toast: {}; only a database superuser can drop those", core::format_count(found.host.toast_leftovers)));
  if (plan.items.empty()) return plan;
  plan.lines.emplace_back("Lock: SHARE UPDATE EXCLUSIVE; reading and writing go on, schema changes and vacuums of the table wait");
  if (chosen.largest) {
    plan.lines.push_back(fmt::format("Disk: up to {} more while the largest is built, and the same of write-ahead log", core::format_size(core::Bytes{chosen.largest->bytes})));
    plan.lines.push_back(disk_line(disk_of(found.host, chosen.largest->location)));
    plan.lines.push_back("Time: about " + core::format_duration(std::chrono::seconds(1 + plan.bytes.count / built_a_second)) + ", a guess");
  }
  if (found.host.oldest_transaction >= old_transaction)
    plan.lines.push_back(fmt::format("Oldest transaction: open for {}; each index waits for its end", core::format_age(std::chrono::seconds(found.host.oldest_transaction))));
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan(Arguments arguments, Context& context) {
  auto sessions = check_sessions(context);
  if (!sessions) co_return core::fail(sessions.error());
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  const std::string name = table_name(arguments.text("name"));
  auto work = [name](db::Transaction& transaction) { return find(transaction, name); };
  auto finding = (**read).transaction(std::move(work));
  auto found = co_await std::move(finding);
  if (!found) co_return core::fail(found.error());
  co_return plan_for(*found, name, arguments);
}

ItemOutcome rebuilt(std::int64_t before, std::int64_t after, std::chrono::milliseconds took) {
  ItemOutcome done;
  done.bytes.count = std::max<std::int64_t>(0, before - after);
  done.text = write_rows({{"built", 1}, {"before", before}, {"after", after}}, {});
  done.notice = change(before, after) + ", " + core::format_duration(took);
  return done;
}

}  // namespace

awaitable<ItemOutcome> ReindexWork::act(db::ItemRow item) {
  Maintenance::Attempt attempt = [this](db::ItemRow row, bool uncertain) { return this->attempt(std::move(row), uncertain); };
  auto persisting = maintenance_.persist(std::move(item), /*uncertain=*/false, std::move(attempt));
  co_return co_await std::move(persisting);
}

awaitable<ItemOutcome> ReindexWork::settle(db::ItemRow item) {
  Maintenance::Attempt attempt = [this](db::ItemRow row, bool uncertain) { return this->attempt(std::move(row), uncertain); };
  auto persisting = maintenance_.persist(std::move(item), /*uncertain=*/true, std::move(attempt));
  co_return co_await std::move(persisting);
}

awaitable<core::Result<ReindexWork::Look>> ReindexWork::look(std::string index) {
  auto work = [index = std::move(index)](db::Transaction& transaction) -> core::Result<Look> {
    Look look;
    auto indexes = read_indexes(transaction, "", index);
    if (!indexes) return core::fail(indexes.error());
    look.indexes = std::move(*indexes);
    auto host = read_host(transaction);
    if (!host) return core::fail(host.error());
    look.host = std::move(*host);
    return look;
  };
  auto looking = maintenance_.work().transaction(std::move(work));
  co_return co_await std::move(looking);
}

awaitable<core::Result<std::vector<SpaceIndex>>> ReindexWork::leftovers(std::string table) {
  auto work = [table = std::move(table)](db::Transaction& transaction) { return read_indexes(transaction, table, ""); };
  auto looking = maintenance_.work().transaction(std::move(work));
  auto indexes = co_await std::move(looking);
  if (indexes) std::erase_if(*indexes, [](const SpaceIndex& index) { return !index.leftover || index.busy || !index.allowed; });
  co_return indexes;
}

awaitable<void> ReindexWork::drop_leftovers(std::string table) {
  auto found = co_await leftovers(std::move(table));
  if (!found) {
    core::log_warning("space", "what a reindex left behind was not looked for: {}", core::describe(found.error()));
    co_return;
  }
  for (const SpaceIndex& index : *found) {
    auto dropping = maintenance_.run_unwatched("DROP INDEX CONCURRENTLY IF EXISTS " + index.quoted, drop_limits);
    auto dropped = co_await std::move(dropping);
    if (!dropped) core::log_warning("space", "{} was not dropped: {}", index.name, core::describe(dropped.error()));
  }
}

awaitable<core::Result<ItemOutcome>> ReindexWork::attempt(db::ItemRow item, bool uncertain) {
  auto before = co_await look(item.target);
  if (!before) co_return core::fail(before.error());
  if (before->indexes.empty()) co_return outcome(State::kept, "it is gone");
  SpaceIndex index = before->indexes.front();
  if (!index.allowed) co_return outcome(State::kept, "the bot's database role may not maintain its table any more");
  if (item.kind == leftover_kind) co_return co_await drop(std::move(item), std::move(index));
  auto room = check_disk(disk_of(before->host, index.location), core::Bytes{index.bytes * 2});
  if (!room) co_return outcome(State::kept, room.error().why);
  co_return co_await rebuild(std::move(item), std::move(index), uncertain);
}

awaitable<core::Result<ItemOutcome>> ReindexWork::rebuild(db::ItemRow item, SpaceIndex before, bool uncertain) {
  const auto started = std::chrono::steady_clock::now();
  if (uncertain) {
    co_await drop_leftovers(before.table);
    // Another file than the plan saw: the rebuild came through before the connection, or the bot, was lost.
    if (before.valid && std::to_string(before.filenode) != item.note) co_return rebuilt(item.bytes, before.bytes, {});
  }
  std::string statement = "REINDEX INDEX CONCURRENTLY " + before.quoted;
  auto running = maintenance_.run(std::move(statement), "reindex " + before.name, rebuild_limits);
  auto ran = co_await std::move(running);
  const bool lost = !ran && (ran.error().code == core::Code::unavailable || ran.error().code == core::Code::in_doubt);
  if (lost) co_return core::fail(ran.error());
  if (!ran) co_await drop_leftovers(before.table);
  auto after = co_await look(item.target);
  if (!after) co_return core::fail(after.error());
  const bool swapped = !after->indexes.empty() && after->indexes.front().valid && after->indexes.front().filenode != before.filenode;
  // A cancel after the swap came too late: only the old one had still to be dropped.
  if (!ran && !swapped) co_return core::fail(ran.error());
  if (!swapped) co_return outcome(State::failed, "the database reported no error, but the index is the old one");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
  co_return rebuilt(before.bytes, after->indexes.front().bytes, took);
}

awaitable<core::Result<ItemOutcome>> ReindexWork::drop(db::ItemRow item, SpaceIndex leftover) {
  if (!leftover.leftover) co_return outcome(State::kept, "it is a valid index now");
  if (leftover.busy) co_return outcome(State::kept, "an index of its table is being built right now");
  auto running = maintenance_.run("DROP INDEX CONCURRENTLY IF EXISTS " + leftover.quoted, "dropping " + leftover.name, drop_limits);
  auto ran = co_await std::move(running);
  if (!ran) co_return core::fail(ran.error());
  auto after = co_await look(item.target);
  if (!after) co_return core::fail(after.error());
  if (!after->indexes.empty()) co_return outcome(State::failed, "the database reported no error, but it is still there");
  ItemOutcome done;
  done.bytes.count = leftover.bytes;
  done.text = write_rows({{"dropped", 1}}, {});
  done.notice = "dropped, " + core::format_size(done.bytes);
  co_return done;
}

namespace {

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan, jobs::Progress& progress, Context& context) {
  auto sessions = check_sessions(context);
  if (!sessions) co_return core::fail(sessions.error());
  Maintenance maintenance(context.services.io, *context.services.work, *context.services.control, progress);
  ReindexWork work(maintenance);
  jobs::Progress::Act act = [&work](db::ItemRow item) { return work.act(std::move(item)); };
  jobs::Progress::Act settle = [&work](db::ItemRow item) { return work.settle(std::move(item)); };
  auto totals = co_await progress.for_each_item("indexes", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  auto result = co_await run_result(*totals, progress.job(), context.stores().jobs);
  if (!result) co_return core::fail(result.error());
  jobs::Receipt receipt;
  receipt.title = fmt::format("{} built anew, {} returned to the disk", core::plural(result->sum["built"], "index", "indexes"), core::format_size(core::Bytes{result->returned}));
  for (std::string& line : result->changes) receipt.lines.push_back(std::move(line));
  if (result->sum["dropped"] > 0) receipt.lines.push_back(fmt::format("Leftovers dropped: {}", core::format_count(result->sum["dropped"])));
  for (std::string& line : result->troubles) receipt.lines.push_back(std::move(line));
  receipt.complete = result->complete;
  auto left = co_await work.leftovers("");
  if (!left) {
    receipt.lines.push_back("Verified: not, " + core::describe(left.error()));
  } else if (left->empty()) {
    receipt.lines.emplace_back("Verified: the new files and sizes were read from the catalogue, and no invalid copy is left");
  } else {
    std::vector<std::string> names;
    for (const SpaceIndex& index : *left) names.push_back(index.name);
    receipt.lines.push_back("Invalid copies left: " + some(std::move(names)) + "; they take space and are not used; !reindex and the name drops them");
  }
  co_return receipt;
}

}  // namespace

Command reindex() {
  Command command;
  command.spec.name = "reindex";
  command.spec.group = command::Group::database;
  command.spec.summary = "Build the indexes of a table anew, beside the old ones";
  command.spec.level = Level::slows;
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes; the disk is busier";
  command.spec.sources = "S";
  command.spec.arguments = {command::positional("name", Type::word, "a table, for all of its indexes, or one index"), command::standard::dry_run()};
  command.spec.examples = {{"reindex events --dry-run", "which indexes, and the disk it takes"}, {"reindex event_json_event_id_key", "one of them"}};
  command.manual = manual("reindex");
  command.plan = plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
