// The bot's own memory: inbox, outbox, jobs and their items, audit, roles, settings, handles. One class per table family,
// each call one transaction on the store session, each commit before anything is promised to the outside. I/O thread.
// All time-outs and ages are computed with the database's now(); the wall clock of the bot's host is never used.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"
#include "db/alert_store.hpp"
#include "db/schedule_store.hpp"
#include "db/session.hpp"

namespace steward::db {

// Creates the schema and applies sql/schema/NNN_*.sql in order, each once, in one transaction each.
// not_allowed prints the CREATE SCHEMA/GRANT that is missing; conflict when the schema is newer than this program.
boost::asio::awaitable<core::Result<void>> migrate(Session& store, std::string schema);

// ---- inbox -------------------------------------------------------------------------------------------------------
struct InboxEvent {
  core::EventId event_id;
  core::RoomId room_id;
  core::UserId sender;
  std::string type;
  std::string json;  // the event as received (trimmed to what room/ needs)
  std::chrono::milliseconds age{};  // unsigned.age at arrival; when read back: plus the time since arrival
};

class InboxStore {
 public:
  explicit InboxStore(Session& session) : session_(session) {}
  // Stores events not seen yet; returns the ids that were new. One commit.
  boost::asio::awaitable<core::Result<std::vector<core::EventId>>> add(std::vector<InboxEvent> events);
  // Oldest first, state `new`. Age as of now.
  boost::asio::awaitable<core::Result<std::vector<InboxEvent>>> unhandled(int limit);
  boost::asio::awaitable<core::Result<void>> finish(core::EventId event, std::string outcome);
  // Which of these ids the inbox has never seen (reconciliation with the room's history).
  boost::asio::awaitable<core::Result<std::vector<core::EventId>>> unknown_of(std::vector<core::EventId> events);
  boost::asio::awaitable<core::Result<std::optional<InboxEvent>>> find(core::EventId event);
  boost::asio::awaitable<core::Result<void>> forget_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

// ---- outbox ------------------------------------------------------------------------------------------------------
struct OutboxRow {
  std::int64_t id = 0;
  std::string cause;  // unique: "plan:41", "answer:$event", "live:41:7"; the transaction id is derived from it
  std::string transaction_id;
  core::RoomId room_id;
  std::string type;     // "m.room.message", "m.reaction", "m.room.redaction" …
  std::string content;  // JSON
  std::string state;    // waiting, sent, dropped
  core::EventId event_id;  // once sent; also what a redaction or edit points at, inside content
  int attempts = 0;
  std::chrono::seconds age{};
};

class OutboxStore {
 public:
  explicit OutboxStore(Session& session) : session_(session) {}
  // The row of that cause: a new one, or the one already there (then `content` is ignored): a cause is sent once.
  boost::asio::awaitable<core::Result<OutboxRow>> add(std::string cause, core::RoomId room, std::string type, std::string content);
  boost::asio::awaitable<core::Result<std::vector<OutboxRow>>> waiting(int limit);
  boost::asio::awaitable<core::Result<void>> sent(std::int64_t id, core::EventId event);
  boost::asio::awaitable<core::Result<void>> dropped(std::int64_t id, std::string why);
  boost::asio::awaitable<core::Result<void>> attempted(std::int64_t id);
  boost::asio::awaitable<core::Result<std::optional<OutboxRow>>> find(std::string cause);
  boost::asio::awaitable<core::Result<std::optional<OutboxRow>>> find_by_event(core::EventId event);
  boost::asio::awaitable<core::Result<std::optional<OutboxRow>>> newest_sent(core::RoomId room);  // newest m.room.message, no edits
  boost::asio::awaitable<core::Result<void>> forget_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

// ---- jobs --------------------------------------------------------------------------------------------------------
// A plan and the job that carries it out are one row: `waiting` is a plan that waits for a person.
//   waiting → queued → running → done | failed | stopped ;  waiting → void (declined, expired, edited, redacted)
struct JobRow {
  std::int64_t number = 0;
  core::EventId command_event;  // unique; empty for terminal and schedules
  std::string command;          // canonical name
  std::string line;             // as typed, secrets masked
  core::UserId asker;
  std::string origin;  // room, terminal, schedule
  int level = 0;
  std::string state;   // waiting, queued, running, stopped, done, failed, void
  std::string reason;  // of stopped/void/failed: paused, cancelled, interrupted, declined, expired, edited, …
  std::string plan;    // versioned JSON of jobs::Plan without its items
  std::string receipt; // JSON of jobs::Receipt once ended
  core::UserId confirmed_by;
  std::int64_t continues = 0;  // the job whose open items this one takes over
  std::chrono::seconds created_ago{}, started_ago{}, finished_ago{}, heartbeat_ago{};  // -1: not yet
  std::chrono::seconds expires_in{};  // of a waiting plan; negative: expired
};

struct ItemRow {
  std::int64_t job = 0;
  int position = 0;
  std::string kind;    // room, media, remote-media, leftovers …
  std::string target;  // full id
  std::string label;
  std::int64_t bytes = 0;  // planned
  std::int64_t rows = 0;   // planned
  std::string note;        // JSON or text that the command needs to act
  std::string state;       // planned, acting, done, kept, failed, unknown
  std::string error;       // or the reason why it was kept
  std::int64_t done_bytes = 0, done_rows = 0;
};

struct ItemTotals { std::int64_t planned = 0, acting = 0, done = 0, kept = 0, failed = 0, unknown = 0, done_bytes = 0, done_rows = 0; };

class JobStore {
 public:
  explicit JobStore(Session& session) : session_(session) {}
  // Inserts the job with its items in one commit and gives it its number. conflict when the command event has a job already
  // (the existing number is in Error::source).
  boost::asio::awaitable<core::Result<std::int64_t>> create(JobRow job, std::vector<ItemRow> items, std::chrono::seconds expires_in);
  boost::asio::awaitable<core::Result<std::optional<JobRow>>> find(std::int64_t number);
  boost::asio::awaitable<core::Result<std::optional<JobRow>>> find_by_command_event(core::EventId event);
  boost::asio::awaitable<core::Result<std::vector<JobRow>>> in_state(std::vector<std::string> states, int limit);  // oldest first
  boost::asio::awaitable<core::Result<std::vector<JobRow>>> recent(int limit);                                     // newest first
  // Moves a job from one of `from` to `to`; false when it was in none of them (single use of a confirmation).
  boost::asio::awaitable<core::Result<bool>> move(std::int64_t number, std::vector<std::string> from, std::string to, std::string reason);
  // waiting → queued, only unexpired, once; records who. false when somebody was faster, it expired or was voided.
  boost::asio::awaitable<core::Result<bool>> confirm(std::int64_t number, core::UserId by, core::EventId confirmation_event);
  boost::asio::awaitable<core::Result<void>> finish(std::int64_t number, std::string state, std::string reason, std::string receipt);
  boost::asio::awaitable<core::Result<void>> heartbeat(std::int64_t number);
  boost::asio::awaitable<core::Result<std::vector<JobRow>>> expire_waiting();  // voids and returns what expired
  // The highest number ever given, also to jobs that are gone.
  boost::asio::awaitable<core::Result<std::int64_t>> last_number();
  // Numbers go on above `number` (a restored backup must not reuse numbers people have seen).
  boost::asio::awaitable<core::Result<void>> continue_numbers_above(std::int64_t number);

  // In the order of their positions; no states: all of them; limit 0: no limit.
  boost::asio::awaitable<core::Result<std::vector<ItemRow>>> items(std::int64_t job, std::vector<std::string> states, int limit);
  // Both: conflict when the item is not open (planned, acting or unknown) any more.
  boost::asio::awaitable<core::Result<void>> item_acting(std::int64_t job, int position);
  // state: done, kept, failed, unknown, or planned (given back). `line` goes into the job's log with it, "" none.
  boost::asio::awaitable<core::Result<void>> item_finished(std::int64_t job, int position, std::string state, std::string error,
                                                            std::int64_t bytes, std::int64_t rows, std::string line = {});
  // The same for many items in one commit: all of them or, when one is not open any more, none.
  struct ItemEnd { int position = 0; std::string state, error; std::int64_t rows = 0; };
  boost::asio::awaitable<core::Result<void>> items_acting(std::int64_t job, std::vector<int> positions);
  boost::asio::awaitable<core::Result<void>> items_finished(std::int64_t job, std::vector<ItemEnd> ends);
  // What a run must remember of an item beyond a crash; stands in its note.
  boost::asio::awaitable<core::Result<void>> item_note(std::int64_t job, int position, std::string note);
  boost::asio::awaitable<core::Result<ItemTotals>> totals(std::int64_t job);
  boost::asio::awaitable<core::Result<void>> log(std::int64_t job, std::string line);
  // Oldest first, each after its time: "2026-03-03T14:05:06Z line".
  boost::asio::awaitable<core::Result<std::vector<std::string>>> log_lines(std::int64_t job);
  boost::asio::awaitable<core::Result<void>> forget_items_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

// ---- audit -------------------------------------------------------------------------------------------------------
struct AuditRow {
  std::int64_t id = 0;
  std::string at;  // ISO time in UTC, by the database
  std::int64_t at_ms = 0;  // the same since 1970
  std::string actor, role, event_id, line, outcome, confirmed_by;
  std::int64_t job = 0;
};

class AuditStore {
 public:
  explicit AuditStore(Session& session) : session_(session) {}
  // Appends a row; its hash covers the row and the hash before it.
  boost::asio::awaitable<core::Result<void>> add(AuditRow row);
  boost::asio::awaitable<core::Result<std::vector<AuditRow>>> list(std::optional<std::string> actor, std::chrono::seconds since, int limit);
  // The id of the first row whose hash does not fit, nullopt when the chain is whole.
  boost::asio::awaitable<core::Result<std::optional<std::int64_t>>> first_broken();
  boost::asio::awaitable<core::Result<void>> forget_older_than(std::chrono::seconds age);

 private:
  Session& session_;
};

// ---- roles, settings, handles, state ------------------------------------------------------------------------------
struct RoleRow { core::UserId user; std::string role; std::string given_by; };

class SettingStore {
 public:
  explicit SettingStore(Session& session) : session_(session) {}
  boost::asio::awaitable<core::Result<std::vector<RoleRow>>> roles();
  boost::asio::awaitable<core::Result<void>> set_role(core::UserId user, std::string role, core::UserId by);  // "" takes it away
  // Small facts: what people set (`!settings`, keys "user.*") and what the bot remembers (admin room, freeze, device).
  boost::asio::awaitable<core::Result<std::optional<std::string>>> get(std::string key);
  boost::asio::awaitable<core::Result<void>> put(std::string key, std::string value);
  boost::asio::awaitable<core::Result<void>> erase(std::string key);
  boost::asio::awaitable<core::Result<std::vector<std::pair<std::string, std::string>>>> all(std::string prefix);
  // Handles r1, u2, m5 of the list last shown to `owner`; they live an hour.
  boost::asio::awaitable<core::Result<void>> set_handles(core::UserId owner, char letter, std::vector<std::string> targets);
  boost::asio::awaitable<core::Result<std::optional<std::string>>> handle(core::UserId owner, std::string handle);
  // Files the bot uploaded; returned by due_uploads when older than `age`.
  boost::asio::awaitable<core::Result<void>> add_upload(std::string mxc, std::string name);
  boost::asio::awaitable<core::Result<std::vector<std::string>>> due_uploads(std::chrono::seconds age);
  boost::asio::awaitable<core::Result<void>> forget_upload(std::string mxc);

 private:
  Session& session_;
};

struct Stores {
  explicit Stores(Session& session) : inbox(session), outbox(session), jobs(session), audit(session), settings(session), schedules(session), alerts(session) {}
  InboxStore inbox;
  OutboxStore outbox;
  JobStore jobs;
  AuditStore audit;
  SettingStore settings;
  ScheduleStore schedules;
  AlertStore alerts;
};

}  // namespace steward::db
