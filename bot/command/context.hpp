// What a command may use. Concrete clients, no interfaces: tests use a real PostgreSQL and a scripted http::Transport.
// One per invocation, made by the dispatcher; everything it points at outlives the command. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "async/work_thread.hpp"
#include "command/command.hpp"
#include "core/ids.hpp"
#include "core/timetable.hpp"
#include "core/secret.hpp"
#include "db/session.hpp"
#include "db/store.hpp"
#include "host/client.hpp"
#include "jobs/runner.hpp"
#include "matrix/client.hpp"
#include "matrix/event.hpp"
#include "synapse/admin_client.hpp"

namespace steward::command {

// From the config and the room; may change with SIGHUP or !settings.
struct Options {
  std::string server_name;
  std::string time_zone = "UTC";
  std::vector<core::UserId> admins;          // config: chat cannot change them
  std::vector<core::UserId> remote_allowed;
  int max_level = 4;
  bool second_admin = false;
  double share = 0.1;
  std::vector<std::string> keep_rooms;
  int rooms_in_flight = 3;
  int large_room = 10'000;  // events
  std::string media_path;          // Synapse's media folder; "": not told
  std::string repack_program;      // "": where PostgreSQL's packages put it
  core::Secret repack_connection;  // as a superuser, where the admin gave one; else Synapse's
  core::UserId bot;
  core::UserId sender;
  std::string bot_display_name;
  // Of !settings only (commands/settings.hpp loads them).
  std::string quiet_hours = "off";         // "22:00-07:00"
  std::string report_hours = "08:00";
  std::chrono::seconds file_retention = std::chrono::hours(24 * 7);
};

// How the room's day goes: its zone, its report hours, its quiet hours.
core::Daytime daytime(const Options& options);

struct Context;

// The long-lived parts, made once by app.
struct Services {
  boost::asio::any_io_executor io;
  db::Stores* stores = nullptr;
  db::Session* store_session = nullptr;
  db::Session* read = nullptr;     // reports, as the role that only reads; null without a connection to Synapse's database
  db::Session* plan = nullptr;     // plans and their proofs, reading as the role that works; `read` itself when there is one role
  db::Session* work = nullptr;
  db::Session* control = nullptr;
  // Another session on Synapse's database for a job that needs one of its own; empty without a connection to it.
  std::function<std::unique_ptr<db::Session>(std::string name)> new_session;
  async::WorkThread* compute = nullptr;
  synapse::AdminClient* admin = nullptr;
  matrix::Client* chat = nullptr;
  host::Client* host = nullptr;    // never null in a running bot; says itself when it is not configured
  jobs::Runner* runner = nullptr;
  const Table* table = nullptr;
  Options* options = nullptr;
  std::function<core::RoomId()> admin_room;
  std::function<boost::asio::awaitable<core::Result<bool>>(core::UserId user)> in_room;  // joined to the admin room now
  std::function<std::string()> own_health;                   // one line for !status
  // Runs the command of a schedule now, for the one who asks, under the cap it was confirmed with. Set by the dispatcher.
  std::function<boost::asio::awaitable<core::Result<Answer>>(db::ScheduleRow schedule, Context context)> run_schedule;
  // Draws the message of an alert anew.
  std::function<boost::asio::awaitable<void>(std::string message)> show_alert;
  // The other way for what must reach people (alerts.fallback): where it was sent. Empty where none is configured.
  std::function<boost::asio::awaitable<core::Result<std::string>>(std::string text)> fallback;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

struct Context {
  Services& services;
  core::UserId asker;
  Role role = Role::none;
  bool terminal = false;
  core::EventId command_event;
  std::optional<matrix::Event> replied_to;  // of `this`
  std::string line;
  std::optional<db::ScheduleRow> schedule = std::nullopt;  // whose command runs

  const Options& options() const { return *services.options; }
  db::Stores& stores() const { return *services.stores; }
  synapse::AdminClient& admin() const { return *services.admin; }
  bool window = false;   // its command is planned for a window in which Synapse is stopped
  bool as_data = false;  // for a program: every row, where a person gets a page
  bool reports = false;  // it answers; else it plans or works

  // The session to read on, or the refusal that names what is missing and how to give it: a report's role reads no text of
  // events and no secret; what a plan reads, its job may read too.
  core::Result<db::Session*> read() const;
  core::Result<db::Session*> plan() const;  // for a report that says what a plan would do
  core::Result<db::Session*> work() const;
};

}  // namespace steward::command
