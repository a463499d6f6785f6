// clean-orphans: deletes rows of Synapse's tables that belong to nothing any more, so that what they block works again. The plan is
// the search of check-orphans, frozen as ranges of keys with the rows found in each; the act repeats the whole condition in every
// DELETE and takes no more rows from a range than were found there. With Synapse stopped it also takes what may not go beside it,
// under the lock that keeps Synapse from starting. I/O thread; the plan on the read session, the act in short batches on the work
// session. The manual page is clean_orphans.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/danger.hpp"
#include "commands/maintenance.hpp"
#include "commands/orphan_scan.hpp"
#include "commands/room_deletion.hpp"
#include "commands/space.hpp"
#include "commands/stopped_synapse.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "jobs/batches.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr auto plan_time = std::chrono::minutes(2);
constexpr std::size_t shown_kinds = 9;
constexpr std::string_view stopped_parameter = "stopped";  // of the plan: it holds kinds that go only with Synapse stopped

// ---- the plan ----------------------------------------------------------------------------------------------------

core::Result<void> check_analysed(const OrphanSurvey& survey) {
  if (survey.events) return {};
  return core::fail(core::Code::conflict, "Synapse's tables were never analysed",
                    "PostgreSQL does not know how large they are, and short statements could become long ones", "run !analyze first");
}

std::string kind_line(const OrphansFound& found) {
  const OrphanKind& kind = *found.kind;
  std::string line = fmt::format("{}: {}, {}", kind.name, found_text(found), kind.what);
  if (!kind.breaks.empty()) line += fmt::format("; {}", kind.breaks);
  return line;
}

void leave(jobs::Plan& plan, const OrphansFound& found, std::string reason, std::string text) {
  jobs::Kept kept;
  kept.reason = std::move(reason);
  kept.text = std::move(text);
  kept.count = found.search.found;
  kept.examples.emplace_back(found.kind->name);
  plan.kept.push_back(std::move(kept));
}

// In a window, or where nobody else is connected to the database.
awaitable<core::Result<bool>> is_synapse_stopped(db::Session& read, const Context& context) {
  if (context.window) co_return true;
  auto sessions = co_await db::other_sessions(read);
  if (!sessions) co_return core::fail(sessions.error());
  co_return sessions->empty();
}

void add_kind(jobs::Plan& plan, const OrphansFound& found, const OrphanMoment& moment, bool stopped) {
  const OrphanKind& kind = *found.kind;
  if (found.search.found == 0) return;
  if (kind.care == OrphanCare::stopped && !stopped) return leave(plan, found, "stopped", fmt::format("only with Synapse stopped: {}", kind.why));
  if (!found.table.can_delete) return leave(plan, found, "no-right", fmt::format("the bot's database role may not delete: GRANT DELETE ON {} is missing", kind.table));
  if (kind.care == OrphanCare::stopped) plan.parameters.emplace(stopped_parameter, "yes");
  plan.rows += found.search.found;
  plan.locks.push_back(fmt::format("table:{}", kind.table));
  plan.items.push_back({.kind = "orphans", .target = std::string(kind.name), .label = std::string(kind.name), .bytes = {}, .rows = found.search.found,
                        .note = encode_search(moment, found.search)});
  if (plan.items.size() <= shown_kinds) plan.lines.push_back(kind_line(found));
}

jobs::Plan plan_for(const OrphanSurvey& survey, bool dry_run, bool stopped) {
  jobs::Plan plan;
  plan.command = "clean-orphans";
  plan.level = static_cast<int>(dry_run ? Level::reads : Level::destroys);
  plan.needs_writer = true;
  plan.needs_synapse = !stopped;
  for (const OrphansFound& found : survey.kinds) add_kind(plan, found, survey.moment, stopped);
  if (plan.items.size() > shown_kinds) plan.lines.push_back(fmt::format("And {} more kinds; !check-orphans --csv has them all", plan.items.size() - shown_kinds));
  std::vector<std::string> cut, unread;
  for (const OrphansFound& found : survey.kinds) {
    if (!found.problem.empty()) unread.push_back(fmt::format("{} ({})", found.kind->name, found.problem));
    else if (!found.search.whole) cut.emplace_back(found.kind->name);
  }
  const std::string looked = core::plural(static_cast<long long>(survey.kinds.size() - unread.size()), "kind", "kinds");
  plan.title = plan.items.empty() ? fmt::format("No orphans to clean; {} looked at", looked)
                                  : fmt::format("{} in {} belong to nothing and would be deleted", core::plural(plan.rows, "row", "rows"),
                                                core::plural(static_cast<long long>(plan.items.size()), "kind", "kinds"));
  plan.word = std::to_string(plan.rows);
  if (!cut.empty()) plan.lines.push_back("Cut short: " + core::join(cut, ", ") + "; the next plan goes on where this one stopped");
  if (!unread.empty()) plan.lines.push_back("Not looked at: " + core::join(unread, "; "));
  if (!survey.absent.empty()) plan.lines.push_back("Not in this database: " + core::join(survey.absent, ", "));
  if (plan.parameters.contains(std::string(stopped_parameter))) plan.lines.emplace_back("Synapse is stopped meanwhile and cannot start before the end");
  if (!plan.items.empty()) plan.lines.emplace_back("Last backup: none known to the bot");
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  if (auto allowed = db::allows_destruction(*schema); !allowed) co_return core::fail(allowed.error());
  auto survey = co_await survey_orphans(**read, context.stores().settings, schema->version, plan_time, /*never=*/false);
  if (!survey) co_return core::fail(survey.error());
  if (auto analysed = check_analysed(*survey); !analysed) co_return core::fail(analysed.error());
  auto stopped = co_await is_synapse_stopped(**read, context);
  if (!stopped) co_return core::fail(stopped.error());
  co_return plan_for(*survey, arguments.flag("dry-run"), *stopped);
}

// ---- the act -----------------------------------------------------------------------------------------------------

jobs::Batches::Options options_for(const SpaceHost& host) {
  jobs::Batches::Options options;
  options.size.least = 1;  // a state group may have a hundred thousand rows
  options.hold = [host]() -> awaitable<std::string> {
    auto enough = check_disk(disk_of(host, ""), core::Bytes{});
    co_return enough ? std::string() : enough.error().why;
  };
  return options;
}

class Cleaning {
 public:
  // `guard` (nullptr while Synapse runs) is proven to hold at the end of each batch.
  Cleaning(db::Session& work, db::Session* watch, jobs::Progress& progress, SpaceHost host, const db::OfflineGuard* guard)
      : work_(work), progress_(progress), batches_(work, watch, progress, options_for(host)), guard_(guard) {}

  // `uncertain`: an earlier life may have deleted some of it; how much is told by what is left.
  awaitable<ItemOutcome> act(db::ItemRow item, bool uncertain) {
    const auto started = std::chrono::steady_clock::now();
    const OrphanKind* kind = find_orphan_kind(item.target);
    const auto planned = decode_search(item.note);
    if (!kind || !kind->clean || !may_go(kind->care) || !planned) co_return outcome(State::failed, "the plan is of another version of the bot; plan again");
    const auto& [moment, ranges] = *planned;
    TableRows rows, none;
    read_rows(item.error, rows, none);  // what was done before a pause
    if (uncertain) {
      auto left = co_await count_left(*kind, moment, ranges);
      if (!left) co_return ended_early(rows, *kind, left.error());
      rows[std::string(kind->table)] = std::max(rows[std::string(kind->table)], item.rows - *left);
    }
    std::int64_t beyond = 0;
    auto error = co_await clean(*kind, moment, ranges, rows, beyond);
    if (error) co_return ended_early(rows, *kind, *error);
    const std::int64_t gone = rows[std::string(kind->table)];
    ItemOutcome done;
    done.state = progress_.stopping() && !ended_ ? State::given_back : gone == 0 ? State::kept : State::done;
    done.rows = sum(rows);
    done.text = write_rows(rows, {});
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    done.notice = fmt::format("{}, {}", core::plural(done.rows, "row", "rows"), core::format_duration(took));
    if (const std::int64_t kept = item.rows - gone; kept > 0 && done.state != State::given_back) {
      const std::string why = beyond > 0 ? std::string(more_than_planned) : "they belong to something again";
      done.notice += fmt::format(", {} kept: {}", core::format_count(kept), why);
      if (gone == 0) done.text = why;
    }
    co_return done;
  }
  const std::optional<core::Error>& gave_up() const { return gave_up_; }

  // How many planned rows of these items still qualify.
  awaitable<core::Result<std::int64_t>> left_of(std::vector<db::ItemRow> items) {
    std::int64_t left = 0;
    for (const db::ItemRow& item : items) {
      const OrphanKind* kind = find_orphan_kind(item.target);
      const auto planned = decode_search(item.note);
      if (!kind || !planned) continue;
      auto count = co_await count_left(*kind, planned->first, planned->second);
      if (!count) co_return count;
      left += *count;
    }
    co_return left;
  }

 private:
  bool may_go(OrphanCare care) const { return care == OrphanCare::live || (care == OrphanCare::stopped && guard_); }

  static std::int64_t sum(const TableRows& rows) {
    std::int64_t total = 0;
    for (const auto& [table, count] : rows) total += count;
    return total;
  }

  awaitable<core::Result<std::int64_t>> count_left(const OrphanKind& kind, OrphanMoment moment, const std::vector<OrphanRange>& ranges) {
    std::int64_t left = 0;
    for (const OrphanRange& range : ranges) {
      auto work = [&](db::Transaction& transaction) { return count_orphans(transaction, kind, moment, range); };
      auto counting = work_.transaction(std::move(work));
      auto count = co_await std::move(counting);
      if (!count) co_return count;
      left += *count;
    }
    co_return left;
  }

  // The error that ended it, if one did. A range with more orphans than planned is left, and counted in `beyond`.
  awaitable<std::optional<core::Error>> clean(const OrphanKind& kind, OrphanMoment moment, const std::vector<OrphanRange>& ranges, TableRows& rows,
                                              std::int64_t& beyond) {
    std::vector<std::string> after;
    for (;;) {
      jobs::Batches::Work work = [&](db::Transaction& transaction, const std::vector<std::string>& from, std::int64_t size) -> core::Result<jobs::Batch> {
        auto batch = clean_orphans_batch(transaction, kind, moment, ranges, from, size);
        if (!batch || !guard_) return batch;
        if (auto held = db::still_held(transaction, guard_->backend_pid()); !held) return core::fail(held.error());
        return batch;
      };
      auto running = batches_.run(std::string(kind.name), std::move(work), std::move(after));
      auto totals = co_await std::move(running);
      for (const auto& [table, count] : totals.by_table) rows[table] += count;
      ended_ = totals.ended;
      if (!totals.error) co_return std::nullopt;
      if (totals.error->what != more_than_planned) co_return totals.error;
      ++beyond;
      after = behind_range(ranges, totals.after);
    }
  }

  ItemOutcome ended_early(const TableRows& rows, const OrphanKind& kind, const core::Error& error) {
    ItemOutcome early;
    const bool again = core::is_temporary(error) || error.code == core::Code::cancelled || error.code == core::Code::in_doubt;
    early.state = again ? State::given_back : State::failed;
    early.rows = sum(rows);
    early.text = again ? write_rows(rows, {}) : core::describe(error);
    if (!again && early.rows > 0) early.text += fmt::format("; {} of {} were deleted before", core::plural(early.rows, "row", "rows"), kind.name);
    if (again && !progress_.stopping()) {
      gave_up_ = error;
      progress_.request_stop(jobs::StopReason::lock_lost);
    }
    return early;
  }

  db::Session& work_;
  jobs::Progress& progress_;
  jobs::Batches batches_;
  const db::OfflineGuard* guard_;
  bool ended_ = false;
  std::optional<core::Error> gave_up_;
};

awaitable<core::Result<jobs::Receipt>> receipt_for(db::ItemTotals totals, Cleaning& cleaning, std::int64_t job, db::JobStore& store) {
  auto result = co_await run_result(totals, job, store);
  if (!result) co_return core::fail(result.error());
  const std::vector<std::string> done_state{"done"};
  auto done = co_await store.items(job, done_state, 0);
  if (!done) co_return core::fail(done.error());
  auto left = co_await cleaning.left_of(std::move(*done));
  jobs::Receipt receipt;
  receipt.title = fmt::format("{} of {} deleted", core::plural(totals.done_rows, "row", "rows"), core::plural(result->done, "kind", "kinds"));
  std::vector<std::string> rows;
  for (const auto& [table, count] : result->sum) rows.push_back(fmt::format("{} {}", table, core::format_count(count)));
  if (!rows.empty()) receipt.lines.push_back("Rows: " + core::join(rows, ", "));
  for (std::string& line : result->troubles) receipt.lines.push_back(std::move(line));
  if (!left) receipt.lines.push_back("Verified: not, " + core::describe(left.error()));
  else if (*left > 0) receipt.lines.push_back(fmt::format("Left: {} of the planned ones; plan again for them", core::plural(*left, "row", "rows")));
  else if (result->done > 0) receipt.lines.emplace_back("Verified: none of the planned rows is left");
  if (totals.done_rows > 0) receipt.lines.emplace_back("The space becomes free for new rows; files shrink only with !vacuum-full");
  receipt.complete = result->complete;
  co_return receipt;
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  auto work = context.work();
  if (!work) co_return core::fail(work.error());
  std::unique_ptr<db::OfflineGuard> guard;  // released with this frame
  if (plan.parameters.contains(std::string(stopped_parameter))) {
    auto taken = co_await keep_synapse_stopped(context);
    if (!taken) co_return core::fail(taken.error());
    guard = std::move(*taken);
  }
  auto reading = (**work).transaction(read_host);
  auto host = co_await std::move(reading);
  if (!host) co_return core::fail(host.error());
  const auto before = co_await danger_signs(**work);
  Cleaning cleaning(**work, context.services.control, progress, std::move(*host), guard.get());
  jobs::Progress::Act act = [&cleaning](db::ItemRow item) { return cleaning.act(std::move(item), false); };
  jobs::Progress::Act settle = [&cleaning](db::ItemRow item) { return cleaning.act(std::move(item), true); };
  auto totals = co_await progress.for_each_item("kinds", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  if (cleaning.gave_up()) co_return core::fail(*cleaning.gave_up());
  auto receipt = co_await receipt_for(*totals, cleaning, progress.job(), context.stores().jobs);
  if (!receipt) co_return receipt;
  const auto after = co_await danger_signs(**work);
  receipt->lines.push_back(danger_line(before, after));
  co_return receipt;
}

}  // namespace

Command clean_orphans() {
  Command command;
  command.spec.name = "clean-orphans";
  command.spec.group = command::Group::database;
  command.spec.summary = "Delete rows that belong to no room, event, user or device";
  command.spec.level = Level::destroys;
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes; short transactions with pauses";
  command.spec.sources = "S";
  command.spec.arguments = {command::standard::dry_run()};
  command.spec.examples = {{"clean-orphans --dry-run", "which rows, of which tables"}, {"clean-orphans", "a plan with exact counts"}};
  command.manual = manual("clean_orphans");
  command.plan = plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
