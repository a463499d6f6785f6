// clean-state-groups: has Synapse delete the state groups that nothing uses. Synapse's own background update marks them, queued here
// until a pass marks nothing more; ten minutes later Synapse looks at each again and deletes. The bot deletes nothing itself: it counts
// before, waits, and counts after. I/O thread; the plan on the read session, the act on the work session. The manual page is state_groups.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/danger.hpp"
#include "commands/maintenance.hpp"
#include "commands/room_deletion.hpp"
#include "commands/unused_state_groups.hpp"
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
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr const char* marking_update = "mark_unreferenced_state_groups_for_deletion_bg_update";
constexpr std::size_t groups_at_a_time = 1000;
constexpr auto plan_limit = std::chrono::minutes(10);
constexpr auto poll = std::chrono::seconds(1);
constexpr auto stalled = std::chrono::minutes(30);  // nothing moves for so long: something is wrong with Synapse

std::string groups(std::int64_t count) { return core::plural(count, "state group", "state groups"); }

core::Error updates_disabled() {
  return {core::Code::conflict, "Synapse's background updates are switched off", "somebody did that through its admin API, and Synapse could mark nothing",
          "switch them on: POST /_synapse/admin/v1/background_updates/enabled {\"enabled\": true}, or restart Synapse", {}};
}

// ---- the plan ----------------------------------------------------------------------------------------------------

awaitable<core::Result<void>> check_server(Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  if (auto allowed = db::allows_destruction(*schema); !allowed) co_return core::fail(allowed.error());
  if (schema->version < state_deletion_schema)
    co_return core::fail(core::Code::conflict, fmt::format("Synapse's schema {} is too old for this", schema->version),
                         "its own deletion of unused state groups came with schema 90", "upgrade Synapse to 1.128 or later");
  auto updates = co_await context.admin().background_updates();
  if (!updates) co_return core::fail(updates.error());
  if (!updates->enabled) co_return core::fail(updates_disabled());
  co_return co_await keep_an_hour_from("compress-state", context);
}

awaitable<core::Result<void>> add_items(jobs::Plan& plan, const UnusedStateGroups& unused, db::Session& read) {
  for (std::size_t start = 0; start < unused.unmarked.size(); start += groups_at_a_time) {
    const auto first = unused.unmarked.begin() + static_cast<std::ptrdiff_t>(start);
    const auto last = unused.unmarked.begin() + static_cast<std::ptrdiff_t>(std::min(unused.unmarked.size(), start + groups_at_a_time));
    const std::vector<std::int64_t> part(first, last);
    auto rows = co_await count_state_rows(read, part);
    if (!rows) co_return core::fail(rows.error());
    plan.rows += *rows;
    plan.items.push_back({.kind = "state-groups", .target = fmt::format("{}–{}", part.front(), part.back()), .label = groups(static_cast<std::int64_t>(part.size())),
                          .bytes = {}, .rows = *rows, .note = bind_groups(part)});
  }
  co_return core::Result<void>();
}

awaitable<core::Result<jobs::Plan>> plan(Arguments arguments, Context& context) {
  auto allowed = co_await check_server(context);
  if (!allowed) co_return core::fail(allowed.error());
  db::Session& read = **context.read();
  auto unused = co_await find_unused_state_groups(read, plan_limit);
  if (!unused) co_return core::fail(unused.error());
  jobs::Plan plan;
  plan.command = "clean-state-groups";
  plan.level = static_cast<int>(arguments.flag("dry-run") ? Level::reads : Level::destroys);
  plan.needs_writer = true;
  plan.own_update = marking_update;
  plan.locks = {"table:state_groups", "table:state_groups_state"};
  auto added = co_await add_items(plan, *unused, read);
  if (!added) co_return core::fail(added.error());
  const auto count = static_cast<std::int64_t>(unused->unmarked.size());
  plan.word = std::to_string(count);
  plan.title = count == 0 ? fmt::format("None of {} is unused{}", groups(unused->seen), unused->marked > 0 ? " beside those that Synapse has marked already" : "")
                          : fmt::format("{}{} of {} {} used by nothing: {} of state", unused->whole ? "" : "At least ", core::format_count(count),
                                        groups(unused->seen), count == 1 ? "is" : "are", core::plural(plan.rows, "row", "rows"));
  if (unused->marked > 0) plan.lines.push_back(fmt::format("Marked already: {}; Synapse deletes them in any case", groups(unused->marked)));
  if (count == 0) co_return plan;
  plan.lines.emplace_back("Synapse marks them, looks at each again ten minutes later and deletes what is still unused; what becomes unused meanwhile goes, too");
  plan.lines.emplace_back("Time: at least 11 min; other jobs wait, !pause lets them pass");
  plan.lines.emplace_back("Not to be taken back once Synapse has deleted; !cancel stops the waiting only, Synapse still deletes what it has marked");
  plan.lines.emplace_back("The space becomes free for new rows; the file shrinks only with !vacuum-full state_groups_state");
  plan.lines.emplace_back("Last backup: none known to the bot");
  co_return plan;
}

// ---- the act -----------------------------------------------------------------------------------------------------

struct Marking {
  bool queued = false;
  std::string progress;
  std::int64_t newest_mark = 0, marked = 0;
};

class Deletion {
 public:
  Deletion(db::Session& work, jobs::Progress& progress, Context& context) : work_(work), progress_(progress), context_(context) {}

  // Passes of Synapse's update until one marks nothing more: one alone may miss groups, by the order in which it happens to read them.
  // A pass that an earlier life queued is waited for.
  awaitable<core::Result<void>> mark() {
    for (int pass = 1; !progress_.stopping(); ++pass) {
      auto before = co_await look();
      if (!before) co_return core::fail(before.error());
      auto queued = co_await work_.query(db::sql::state_mark);
      if (!queued) co_return core::fail(queued.error());
      auto after = co_await wait_for_pass(pass);
      if (!after) co_return core::fail(after.error());
      if (progress_.stopping()) break;
      if (after->newest_mark != before->newest_mark || before->queued) continue;
      std::string line = fmt::format("{} marked by Synapse, in {}", groups(after->marked), core::plural(pass, "pass", "passes"));
      co_await progress_.notice(std::move(line));
      break;
    }
    co_return core::Result<void>();
  }

  // Waits until the groups are gone or used again; holds nothing meanwhile. Only looks, so it may be repeated.
  awaitable<ItemOutcome> act(db::ItemRow item) {
    for (;;) {
      db::Arguments arguments;
      arguments.emplace_back("groups", item.note);
      auto rows = co_await work_.query(db::sql::state_unused_fate, std::move(arguments));
      if (progress_.stopping()) co_return outcome(State::given_back);
      if (!rows && !core::is_temporary(rows.error())) co_return outcome(State::failed, core::describe(rows.error()));
      if (rows && rows->front().integer("waiting") == 0) co_return ended(item, rows->front());
      if (rows) show(rows->front());
      if (rows && stands_still(rows->front().integer("queue"), rows->front().integer("due_in_ms") > 0))
        co_return outcome(State::failed, "Synapse has deleted none of the marked groups for 30 minutes; its log may say why");
      const bool on = co_await progress_.wait(poll);
      if (!on) co_return outcome(State::given_back);
    }
  }

  awaitable<core::Result<Marking>> look() {
    auto rows = co_await work_.query(db::sql::state_marking);
    // A cancel of the job may have met this statement.
    if (!rows && rows.error().code == core::Code::cancelled) rows = co_await work_.query(db::sql::state_marking);
    if (!rows) co_return core::fail(rows.error());
    const db::Row& row = rows->front();
    Marking marking;
    marking.queued = row.boolean("queued");
    marking.progress = row.text("progress");
    marking.newest_mark = row.integer("newest_mark");
    marking.marked = row.integer("marked");
    co_return marking;
  }

 private:
  // Synapse may be away for a while: the update stays queued and begins with its next start.
  awaitable<core::Result<Marking>> wait_for_pass(int pass) {
    auto moved = std::chrono::steady_clock::now();
    std::string progress;
    bool woken = false;
    for (;;) {
      if (!woken) {
        auto enabled = co_await wake();
        if (!enabled && !core::is_temporary(enabled.error())) co_return core::fail(enabled.error());
        woken = enabled.has_value();
      }
      auto now = co_await look();
      if (!now && !core::is_temporary(now.error())) co_return now;
      if (now && (!now->queued || progress_.stopping())) co_return now;
      if (now && now->progress != progress) moved = std::chrono::steady_clock::now();
      if (now) progress = now->progress;
      progress_.header(fmt::format("Synapse marks unused state groups, pass {}{}", pass, woken ? "" : " · Synapse is away"));
      if (woken && std::chrono::steady_clock::now() - moved > stalled)
        co_return core::fail(core::Code::unavailable, "Synapse does not go on with marking state groups", "its background update has not moved for 30 minutes",
                             "look at its log; it stays queued, and !retry waits again");
      const bool on = co_await progress_.wait(poll);
      if (!on && !now) co_return core::fail(core::Code::cancelled, "Stopped while the database was away");
    }
  }

  // Enabling also wakes Synapse's updater. Where somebody has switched updates off meanwhile, they stay off.
  awaitable<core::Result<void>> wake() {
    auto updates = co_await context_.admin().background_updates();
    if (!updates) co_return core::fail(updates.error());
    if (!updates->enabled) co_return core::fail(updates_disabled());
    co_return co_await context_.admin().enable_background_updates();
  }

  static ItemOutcome ended(const db::ItemRow& item, const db::Row& row) {
    const std::int64_t present = row.integer("present"), used = row.integer("used"), unmarked = row.integer("unmarked");
    ItemOutcome done;
    done.rows = std::max<std::int64_t>(0, item.rows - row.integer("rows_left"));
    done.text = write_rows({{"kept", present}}, {});
    done.notice = core::plural(done.rows, "row", "rows");
    if (used > 0) done.notice += fmt::format("; {} kept, used again", groups(used));
    if (unmarked > 0) done.notice += fmt::format("; {} kept, not marked by Synapse", groups(unmarked));
    return done;
  }

  void show(const db::Row& row) {
    const std::int64_t due = row.integer("due_in_ms");
    std::string text = fmt::format("waits for Synapse · {} of this part left, {} in the queue", groups(row.integer("present")), core::format_count(row.integer("queue")));
    if (due > 0) text += " · the first may go in " + core::format_duration(std::chrono::seconds(due / 1000));
    progress_.header(std::move(text));
  }

  bool stands_still(std::int64_t queue, bool too_early) {
    const auto now = std::chrono::steady_clock::now();
    if (queue != queue_ || too_early) moved_ = now;
    queue_ = queue;
    return now - moved_ > stalled;
  }

  db::Session& work_;
  jobs::Progress& progress_;
  Context& context_;
  std::int64_t queue_ = -1;
  std::chrono::steady_clock::time_point moved_;
};

awaitable<void> add_end(jobs::Receipt& receipt, const core::Result<DangerSigns>& before, Deletion& deletion, bool stopped, db::Session& work) {
  if (stopped) {
    auto left = co_await deletion.look();
    if (left && left->marked > 0) receipt.lines.push_back(fmt::format("Synapse still deletes what it has marked: {}", groups(left->marked)));
    if (left && left->queued) receipt.lines.emplace_back("Synapse still finishes marking; it cannot be called off");
    co_return;
  }
  auto unused = co_await find_unused_state_groups(work, plan_limit);
  if (!unused) receipt.lines.push_back("Verified: not, " + core::describe(unused.error()));
  else if (unused->unmarked.empty()) receipt.lines.push_back(fmt::format("Verified: counted again, none of {} is unused{}", groups(unused->seen), unused->marked > 0 ? " beside those still marked" : ""));
  else receipt.lines.push_back(fmt::format("Verified: counted again, {} are unused; since then, or not marked", groups(static_cast<std::int64_t>(unused->unmarked.size()))));
  auto after = co_await danger_signs(work);
  receipt.lines.push_back(danger_line(before, after));
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan, jobs::Progress& progress, Context& context) {
  auto work = context.work();
  if (!work) co_return core::fail(work.error());
  auto apart = co_await keep_an_hour_from("compress-state", context);
  if (!apart) co_return core::fail(apart.error());
  auto before = co_await danger_signs(**work);
  Deletion deletion(**work, progress, context);
  auto marked = co_await deletion.mark();
  if (!marked) co_return core::fail(marked.error());
  jobs::Progress::Act act = [&deletion](db::ItemRow item) { return deletion.act(std::move(item)); };
  jobs::Progress::Act settle = act;
  auto totals = co_await progress.for_each_item("parts", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  auto result = co_await run_result(*totals, progress.job(), context.stores().jobs);
  if (!result) co_return core::fail(result.error());
  jobs::Receipt receipt;
  receipt.title = fmt::format("{} of state gone with the unused state groups", core::plural(totals->done_rows, "row", "rows"));
  if (result->sum["kept"] > 0) receipt.lines.push_back(fmt::format("Kept: {}; used again since the plan, or not marked by Synapse", groups(result->sum["kept"])));
  for (std::string& line : result->troubles) receipt.lines.push_back(std::move(line));
  receipt.complete = result->complete;
  co_await add_end(receipt, before, deletion, progress.stopping(), **work);
  co_return receipt;
}

}  // namespace

Command clean_state_groups() {
  Command command;
  command.spec.name = "clean-state-groups";
  command.spec.group = command::Group::database;
  command.spec.summary = "Have Synapse delete the state groups that nothing uses";
  command.spec.level = Level::destroys;
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes, and only then: Synapse itself does it";
  command.spec.sources = "A S";
  command.spec.arguments = {command::standard::dry_run()};
  command.spec.examples = {{"clean-state-groups --dry-run", "how many, with how many rows"}};
  command.manual = manual("state_groups");
  command.plan = plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
