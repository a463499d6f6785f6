// clean-redacted: what Synapse leaves of the text of redacted events after it has censored the event itself: rows of the search
// index above all. Each event's own JSON is the proof, never the database's mark. The plan on the read session, the act on the
// work session, a chunk of events per short transaction; I/O thread else. The manual page is clean_redacted.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/danger.hpp"
#include "commands/database_reports.hpp"
#include "commands/maintenance.hpp"
#include "commands/redacted_text.hpp"
#include "commands/room_deletion.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "db/guard.hpp"
#include "jobs/batches.hpp"
#include "sql/statements.hpp"

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

constexpr std::size_t events_at_a_time = 200;  // in one transaction: some tens of milliseconds
// Synapse's own pace and default (storage/databases/main/censor_events.py, config/server.py).
constexpr auto retention = std::chrono::hours(24 * 7);

std::string count(std::int64_t number) { return core::format_count(number); }

// What else there is to say about redactions, besides what this command takes away.
struct Surroundings {
  std::int64_t waiting = 0, overdue = 0, newest_ms = 0;
  bool ever_censored = true;
  std::int64_t current_state = 0, edits = 0, reports = 0;
};

awaitable<core::Result<Surroundings>> look_around(db::Session& read, std::string room) {
  db::Arguments waiting_of, remains_of;
  waiting_of.emplace_back("room", room);
  remains_of.emplace_back("room", std::move(room));
  auto waiting = co_await read.query_within(report_limit, db::sql::redacted_waiting, std::move(waiting_of));
  if (!waiting) co_return core::fail(waiting.error());
  auto remains = co_await read.query_within(report_limit, db::sql::redacted_remains, std::move(remains_of));
  if (!remains) co_return core::fail(remains.error());
  const db::Row &queue = waiting->front(), &rest = remains->front();
  Surroundings around;
  around.waiting = queue.integer("waiting");
  around.overdue = queue.integer("overdue");
  around.newest_ms = queue.integer("newest_ms");
  around.ever_censored = queue.boolean("ever_censored");
  around.current_state = rest.integer("current_state");
  around.edits = rest.integer("edits");
  around.reports = rest.integer("reports");
  co_return around;
}

void add_waiting(std::vector<std::string>& lines, const Surroundings& around, const std::string& time_zone) {
  if (around.waiting == 0) return;
  const auto last = core::from_unix_ms(around.newest_ms) + retention;
  lines.push_back(fmt::format("Waiting: the text of {} is still in event_json; Synapse itself takes it out, 100 every 5 minutes, once "
                              "redaction_retention_period has passed: by its default of 7 days the last about {}",
                              core::plural(around.waiting, "redacted event", "redacted events"), core::format_date(last, time_zone)));
  if (around.overdue == 0) return;
  std::string overdue = fmt::format("Overdue: {} of them wait for more than 7 days", count(around.overdue));
  overdue += around.ever_censored ? "; if that does not fall by up to 100 every 5 minutes, redaction_retention_period in homeserver.yaml is longer, or null"
                                  : " and none was ever censored: redaction_retention_period in homeserver.yaml is null (never), or background tasks do not run";
  lines.push_back(std::move(overdue));
}

void add_remains(std::vector<std::string>& lines, const Surroundings& around, std::int64_t uncensored) {
  if (uncensored > 0)
    lines.push_back(fmt::format("Not touched: {} that Synapse has not censored, because it refused the redaction", core::plural(uncensored, "event", "events")));
  std::vector<std::string> parts;
  if (around.current_state > 0) parts.push_back(fmt::format("{} still current (a name or topic stays in Synapse's room lists until the next one)", core::plural(around.current_state, "state event", "state events")));
  if (around.edits > 0) parts.push_back(core::plural(around.edits, "edit", "edits") + " of redacted messages, each an event of its own until it is redacted, too");
  if (around.reports > 0) parts.push_back(core::plural(around.reports, "abuse report", "abuse reports") + " (evidence)");
  if (!parts.empty()) lines.push_back("Also left: " + core::join(parts, "; "));
}

std::string rows_words(const RedactedRows& rows) {
  std::vector<std::string> parts;
  if (rows.search > 0) parts.push_back("event_search " + count(rows.search));
  if (rows.old_columns > 0) parts.push_back("old columns of events " + count(rows.old_columns));
  if (rows.names > 0) parts.push_back("names in room_memberships " + count(rows.names));
  return "Rows: " + core::join(parts, ", ");
}

void add_items(jobs::Plan& plan, const std::vector<RedactedEvent>& events) {
  for (std::size_t start = 0; start < events.size(); start += events_at_a_time) {
    const std::size_t end = std::min(events.size(), start + events_at_a_time);
    std::vector<std::string> ids;
    std::int64_t rows = 0;
    for (std::size_t index = start; index < end; ++index) {
      ids.push_back(events[index].event_id);
      rows += events[index].rows.sum();
    }
    plan.items.push_back({.kind = "redacted", .target = ids.front(), .label = core::plural(static_cast<long long>(ids.size()), "event", "events"), .bytes = {},
                          .rows = rows, .note = *db::bind_array(ids)});
  }
}

jobs::Plan plan_for(const RedactedText& text, const Surroundings& around, const RedactedChoice& choice, bool dry_run, const Context& context) {
  jobs::Plan plan;
  plan.command = "clean-redacted";
  plan.level = static_cast<int>(dry_run ? Level::reads : Level::deletes);
  plan.needs_writer = true;
  plan.locks.emplace_back("table:event_search");
  add_items(plan, text.events);
  RedactedRows rows;
  for (const RedactedEvent& event : text.events) rows += event.rows;
  plan.rows = rows.sum();
  const auto events = static_cast<long long>(text.events.size());
  plan.title = events == 0 ? "No text of a censored event is left outside of it"
                           : fmt::format("{} that Synapse has censored {} text elsewhere: {} would go", core::plural(events, "event", "events"),
                                         events == 1 ? "still has" : "still have", core::plural(rows.sum(), "row", "rows"));
  if (events > 0) plan.lines.push_back(rows_words(rows));
  add_waiting(plan.lines, around, context.options().time_zone);
  add_remains(plan.lines, around, text.uncensored);
  plan.parameters["room"] = choice.room;
  plan.parameters["older_seconds"] = std::to_string(choice.older.count());
  return plan;
}

awaitable<core::Result<jobs::Plan>> plan(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto schema = co_await db::schema_state(**read);
  if (!schema) co_return core::fail(schema.error());
  if (auto allowed = db::allows_destruction(*schema); !allowed) co_return core::fail(allowed.error());
  RedactedChoice choice;
  if (const auto room = arguments.room("room")) choice.room = room->str();
  choice.older = arguments.age("older").value_or(std::chrono::seconds(0));
  auto text = co_await find_redacted_text(**read, choice);
  if (!text) co_return core::fail(text.error());
  auto around = co_await look_around(**read, choice.room);
  if (!around) co_return core::fail(around.error());
  co_return plan_for(*text, *around, choice, arguments.flag("dry-run"), context);
}

class Cleaning {
 public:
  Cleaning(db::Session& work, db::Session* watch, jobs::Progress& progress) : progress_(progress), batches_(work, watch, progress, {}) {}

  // One item is one transaction. Repeatable: what another life of the job took is not there any more, each event is looked at again.
  awaitable<ItemOutcome> act(db::ItemRow item) {
    const auto started = std::chrono::steady_clock::now();
    RedactedCleaning cleaning;
    jobs::Batches::Work work = [&cleaning, &item](db::Transaction& transaction, const std::vector<std::string>& after, std::int64_t) -> core::Result<jobs::Batch> {
      if (!after.empty()) return jobs::Batch{};
      auto cleaned = clean_redacted_text(transaction, item.note);
      if (!cleaned) return core::fail(cleaned.error());
      cleaning = std::move(*cleaned);
      return jobs::Batch{.scanned = 1, .changed = cleaning.rows.sum(), .after = {item.target}};
    };
    auto running = batches_.run("event_search", std::move(work));
    auto totals = co_await std::move(running);
    if (totals.error) co_return ended_early(*totals.error);
    if (totals.batches == 0) co_return outcome(State::given_back);
    co_return done(cleaning, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started));
  }
  const std::optional<core::Error>& gave_up() const { return gave_up_; }

 private:
  static ItemOutcome done(const RedactedCleaning& cleaning, std::chrono::milliseconds took) {
    ItemOutcome done;
    done.rows = cleaning.rows.sum();
    done.text = write_rows({{"search", cleaning.rows.search}, {"old_columns", cleaning.rows.old_columns}, {"names", cleaning.rows.names},
                            {"kept", static_cast<std::int64_t>(cleaning.kept.size())}}, {});
    done.notice = fmt::format("{}, {}", core::plural(done.rows, "row", "rows"), core::format_duration(took));
    if (!cleaning.kept.empty()) done.notice += fmt::format("; kept, not censored any more: {}", core::plural(static_cast<long long>(cleaning.kept.size()), "event", "events"));
    for (const std::string& event : cleaning.kept) done.notice += " " + core::clean_name(event, 80);
    return done;
  }
  ItemOutcome ended_early(const core::Error& error) {
    const bool again = core::is_temporary(error) || error.code == core::Code::cancelled || error.code == core::Code::in_doubt;
    if (again && !progress_.stopping()) {
      gave_up_ = error;
      progress_.request_stop(jobs::StopReason::lock_lost);
    }
    return outcome(again ? State::given_back : State::failed, core::describe(error));
  }

  jobs::Progress& progress_;
  jobs::Batches batches_;
  std::optional<core::Error> gave_up_;
};

awaitable<core::Result<std::string>> verified(const jobs::Plan& plan, db::Session& work) {
  RedactedChoice choice;
  choice.room = plan.parameters.at("room");
  choice.older = std::chrono::seconds(std::stoll(plan.parameters.at("older_seconds")));
  auto left = co_await find_redacted_text(work, std::move(choice));
  if (!left) co_return core::fail(left.error());
  std::int64_t rows = 0;
  for (const RedactedEvent& event : left->events) rows += event.rows.sum();
  co_return rows == 0 ? std::string("Verified: counted again, no text of a censored event is left outside of it")
                      : fmt::format("Verified: counted again, {} left; censored since the plan, or kept", core::plural(rows, "row is", "rows are"));
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  auto work = context.work();
  if (!work) co_return core::fail(work.error());
  auto before = co_await danger_signs(**work);
  Cleaning cleaning(**work, context.services.control, progress);
  jobs::Progress::Act act = [&cleaning](db::ItemRow item) { return cleaning.act(std::move(item)); };
  jobs::Progress::Act settle = act;
  auto totals = co_await progress.for_each_item("parts", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  if (cleaning.gave_up()) co_return core::fail(*cleaning.gave_up());
  auto result = co_await run_result(*totals, progress.job(), context.stores().jobs);
  if (!result) co_return core::fail(result.error());
  jobs::Receipt receipt;
  receipt.title = core::plural(totals->done_rows, "row", "rows") + " with text of redacted events gone";
  const RedactedRows rows{result->sum["search"], result->sum["old_columns"], result->sum["names"]};
  if (rows.sum() > 0) receipt.lines.push_back(rows_words(rows));
  if (result->sum["kept"] > 0) receipt.lines.push_back(fmt::format("Kept: {}, not censored any more; !log names them", core::plural(result->sum["kept"], "event", "events")));
  for (std::string& line : result->troubles) receipt.lines.push_back(std::move(line));
  receipt.complete = result->complete;
  if (progress.stopping()) co_return receipt;
  auto checked = co_await verified(plan, **work);
  receipt.lines.push_back(checked ? *checked : "Verified: not, " + core::describe(checked.error()));
  receipt.lines.emplace_back("What went stands in no dump from now on; its bytes leave the files of PostgreSQL after the next !vacuum event_search");
  auto after = co_await danger_signs(**work);
  receipt.lines.push_back(danger_line(before, after));
  co_return receipt;
}

}  // namespace

Command clean_redacted() {
  Command command;
  command.spec.name = "clean-redacted";
  command.spec.group = command::Group::rooms;
  command.spec.summary = "Take the text of redacted messages out of the search index";
  command.spec.level = Level::deletes;
  command.spec.safe_while_running = "yes; short transactions with pauses";
  command.spec.sources = "S";
  command.spec.arguments = {
      command::option("older", Type::age, "only what was redacted at least this long ago"),
      command::option("room", Type::room, "only this room"),
      command::standard::dry_run(),
  };
  command.spec.examples = {{"clean-redacted --dry-run", "what is left, what Synapse has still to censor"}, {"clean-redacted --room #lounge:example.org --older 7d", ""}};
  command.manual = manual("clean_redacted");
  command.plan = plan;
  command.run = run;
  return command;
}

}  // namespace steward::commands
