#include "app/bot.hpp"

#include <fmt/format.h>

#include <cmath>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "app/clock.hpp"
#include "app/control_socket.hpp"
#include "app/endpoint.hpp"
#include "app/fallback.hpp"
#include "app/service_manager.hpp"
#include "app/setup_identity.hpp"
#include "app/state_file.hpp"
#include "command/job_guard.hpp"
#include "commands/alert_watch.hpp"
#include "commands/all.hpp"
#include "commands/report.hpp"
#include "commands/settings.hpp"
#include "commands/table_sizes.hpp"
#include "core/log.hpp"
#include "db/guard.hpp"
#include "http/client.hpp"
#include "sql/statements.hpp"

namespace steward::app {

using boost::asio::awaitable;

namespace {

constexpr auto stop_grace = std::chrono::seconds(8);  // then what still runs is cut off; the journal takes it up again
constexpr auto reconnect_after = std::chrono::seconds(3);
constexpr auto housekeeping_interval = std::chrono::seconds(3);
constexpr auto reconcile_interval = std::chrono::minutes(10);
constexpr auto room_interval = std::chrono::seconds(30);
constexpr auto heartbeat_interval = std::chrono::minutes(1);
constexpr auto ended_schedules_kept = std::chrono::hours(24 * 7);
constexpr auto retention_interval = std::chrono::hours(1);
constexpr auto way_interval = std::chrono::seconds(20);
constexpr auto unreachable_limit = std::chrono::minutes(3);  // then people hear of it the other way
constexpr auto database_limit = std::chrono::seconds(10);    // a restart of PostgreSQL is no trouble
constexpr const char* room_topic = "room";
constexpr const char* database_topic = "database";
constexpr const char* device_id = "STEWARD";

db::SessionOptions session(std::string name, const core::Secret& connection) {
  db::SessionOptions options;
  options.name = std::move(name);
  options.connection = connection;
  return options;
}

std::unique_ptr<db::Session> reading_session(boost::asio::any_io_executor io, std::string name, const core::Secret& connection) {
  db::SessionOptions options = session(std::move(name), connection);
  options.read_only = true;
  return std::make_unique<db::Session>(io, std::move(options));
}

command::Options options_of(const config::Config& config) {
  command::Options options;
  options.server_name = config.homeserver.server_name;
  options.time_zone = config.room.time_zone;
  options.admins = config.room.admins;
  options.remote_allowed = config.room.remote_allowed;
  options.max_level = config.safety.max_level;
  options.second_admin = config.safety.second_admin;
  options.share = config.safety.share;
  options.keep_rooms = config.rooms.keep;
  options.rooms_in_flight = config.rooms.in_flight;
  options.large_room = config.rooms.large;
  options.media_path = config.media.path;
  options.repack_program = config.repack.program;
  options.repack_connection = config.repack.database.empty() ? config.database.synapse : config.repack.database;
  options.bot = core::UserId("@" + config.bot.localpart + ":" + config.homeserver.server_name);
  options.sender = core::UserId("@" + config.appservice.sender_localpart + ":" + config.homeserver.server_name);
  options.bot_display_name = config.bot.display_name;
  options.file_retention = std::chrono::hours(24 * config.keep.file_days);
  return options;
}

std::unique_ptr<http::Client> client_for(boost::asio::any_io_executor io, const std::string& url, const config::Config& config) {
  http::ClientOptions options;
  options.base_url = url;
  options.ca_file = config.homeserver.ca_file;
  options.user_agent = std::string("synapse-steward/") + STEWARD_VERSION;
  auto client = http::Client::create(io, std::move(options));
  if (client) return std::move(*client);
  core::log_error("app", "{}", core::describe(client.error()));
  return nullptr;
}

matrix::ClientOptions chat_options(const config::Config& config, const command::Options& options) {
  matrix::ClientOptions chat;
  chat.token = config.appservice.as_token;
  chat.user = options.bot;
  chat.device_id = device_id;
  chat.appservice_id = config.appservice.id;
  return chat;
}

synapse::AdminOptions admin_options(const config::Config& config) {
  synapse::AdminOptions admin;
  admin.own_admin_token = !config.admin_token.empty();
  admin.token = admin.own_admin_token ? config.admin_token : config.appservice.as_token;
  return admin;
}

room::AdminRoomOptions room_options(const config::Config& config) {
  room::AdminRoomOptions room;
  room.configured = core::RoomId(config.room.id);
  room.admins = config.room.admins;
  room.server_name = config.homeserver.server_name;
  return room;
}

}  // namespace

struct Bot::Parts {
  Parts(boost::asio::any_io_executor io_, config::Config config_, async::WorkThread& compute_, Fallback& fallback_, Endpoint* endpoint_);

  boost::asio::any_io_executor io;
  async::WorkThread& compute;
  Fallback& fallback;
  Endpoint* endpoint;
  config::Config config;
  command::Options options;
  command::Table table;
  async::Signal arrived, ending;
  async::TaskGroup tasks;

  std::unique_ptr<http::Client> homeserver, media;
  std::unique_ptr<db::Session> store, read, planning, work, control;
  std::unique_ptr<db::Stores> stores;
  std::unique_ptr<matrix::Client> chat;
  std::unique_ptr<synapse::AdminClient> admin;
  std::unique_ptr<host::Client> host;
  std::unique_ptr<room::Outbox> outbox;
  std::unique_ptr<room::AdminRoom> room;
  std::unique_ptr<room::Inbox> inbox;
  std::unique_ptr<jobs::Runner> runner;
  std::unique_ptr<jobs::Scheduler> scheduler;
  std::unique_ptr<commands::AlertWatch> watch;
  command::Services services;
  std::unique_ptr<command::Dispatcher> dispatcher;
  std::unique_ptr<command::JobGuard> guard;
  std::unique_ptr<ControlSocket> socket;

  bool room_open = false;
  bool stopping = false;
  bool store_lost = false;
  bool restored = false;
  std::chrono::seconds away{};  // how long no bot wrote the state file before this start
  JournalMark mark;
  std::chrono::steady_clock::time_point next_room_look{};

  void make_clients();
  void make_conversation();
  awaitable<core::Result<void>> open_store();
  awaitable<core::Result<void>> look_for_restore();
  awaitable<core::Result<JournalMark>> read_journal();
  awaitable<void> end_left_window();
  awaitable<void> start_synapse();
  awaitable<void> tell_device_made(std::string cause);
  awaitable<bool> open_room();
  awaitable<void> apply_room_settings();
  awaitable<void> start_work();
  void start_listening();
  void make_scheduler();
  awaitable<void> pause_schedules();
  awaitable<void> housekeeping();
  awaitable<void> watch_limits();
  awaitable<void> watch_way_to_room();
  void look_at_way_to_room(bool healthy);
  awaitable<void> look_after_room();
  awaitable<void> look_at_clock();
  awaitable<void> retention();
  awaitable<void> reconcile();
  awaitable<void> shut_down();
  [[noreturn]] void leave_at_once() const;
  std::string health() const;
  std::string not_ready() const;
  awaitable<std::vector<Sample>> samples();
};

Bot::Parts::Parts(boost::asio::any_io_executor io_, config::Config config_, async::WorkThread& compute_, Fallback& fallback_, Endpoint* endpoint_)
    : io(io_),
      compute(compute_),
      fallback(fallback_),
      endpoint(endpoint_),
      config(std::move(config_)),
      options(options_of(config)),
      table(commands::all_commands()),
      arrived(io_),
      ending(io_),
      tasks(io_, [this](std::string name, std::string what) {
        core::log_error("app", "{} ended with an exception: {}", name, what);
        store_lost = true;  // a layer never dies silently: this life of the bot ends and another one begins
        ending.notify();
      }) {}

void Bot::Parts::make_clients() {
  homeserver = client_for(io, config.homeserver.url, config);
  media = client_for(io, config.homeserver.media_url.empty() ? config.homeserver.url : config.homeserver.media_url, config);
  const core::Secret& own = config.database.store.empty() ? config.database.synapse : config.database.store;
  db::SessionOptions store_options = session("store", own);
  store_options.search_path = config.database.schema;
  store_options.on_lost = [this](const core::Error& error) {
    core::log_error("app", "the connection to the store was lost: {}", core::describe(error));
    store_lost = true;
    ending.notify();
  };
  store = std::make_unique<db::Session>(io, std::move(store_options));
  stores = std::make_unique<db::Stores>(*store);
  if (!config.database.reader.empty()) read = reading_session(io, "report", config.database.reader);
  if (!config.database.synapse.empty()) {
    planning = reading_session(io, "read", config.database.synapse);
    db::SessionOptions work_options = session("work", config.database.synapse);
    work_options.check_connection = true;
    work = std::make_unique<db::Session>(io, std::move(work_options));
    control = std::make_unique<db::Session>(io, session("control", config.database.synapse));
  }
  matrix::ClientOptions chatting = chat_options(config, options);
  if (!endpoint) chatting.attempts = 1;  // a person waits at the terminal, perhaps with Synapse stopped; the outbox keeps what is not sent
  chat = std::make_unique<matrix::Client>(*homeserver, std::move(chatting));
  admin = std::make_unique<synapse::AdminClient>(*homeserver, *media, admin_options(config));
  host = std::make_unique<host::Client>(io, config.host.socket);
}

void Bot::Parts::make_conversation() {
  outbox = std::make_unique<room::Outbox>(io, *chat, stores->outbox);
  room = std::make_unique<room::AdminRoom>(*chat, stores->settings, *outbox, room_options(config));
  outbox->on_device_made([this](std::string cause) {
    tasks.spawn("device", [this, cause = std::move(cause)] { return tell_device_made(cause); });
  });
  room::Inbox::Hooks inbox_hooks;
  inbox_hooks.looks_like_command = [this](const matrix::Event& event) { return dispatcher->looks_like_command(event); };
  inbox_hooks.plan_waits = [this] { return dispatcher->plan_waits(); };
  inbox = std::make_unique<room::Inbox>(stores->inbox, stores->outbox, *room, options.bot, std::move(inbox_hooks), arrived);

  jobs::Runner::Hooks hooks;
  hooks.run = [this](db::JobRow job, jobs::Plan plan, jobs::Progress& progress) {
    return dispatcher->run_command(std::move(job), std::move(plan), progress);
  };
  hooks.may_run = [this](db::JobRow job, jobs::Plan plan, bool starting) {
    return guard->may_run(std::move(job), std::move(plan), starting);
  };
  hooks.release = [this](jobs::Plan plan) { return guard->release(std::move(plan)); };
  hooks.show = [this](db::JobRow job, std::string header, std::string notice, bool changed) {
    return dispatcher->show_job(std::move(job), std::move(header), std::move(notice), changed);
  };
  hooks.ended = [this](db::JobRow job, jobs::Plan plan, jobs::Receipt receipt) {
    return dispatcher->job_ended(std::move(job), std::move(plan), std::move(receipt));
  };
  hooks.cancel_statement = [this] { return guard->cancel_statement(); };
  runner = std::make_unique<jobs::Runner>(io, stores->jobs, std::move(hooks));

  services.io = io;
  services.stores = stores.get();
  services.store_session = store.get();
  services.read = read ? read.get() : planning.get();
  services.plan = planning.get();
  services.work = work.get();
  services.control = control.get();
  if (!config.database.synapse.empty())
    services.new_session = [this](std::string name) {
      db::SessionOptions own = session(std::move(name), config.database.synapse);
      own.check_connection = true;
      return std::make_unique<db::Session>(io, std::move(own));
    };
  services.compute = &compute;
  services.admin = admin.get();
  services.host = host.get();
  services.chat = chat.get();
  services.runner = runner.get();
  services.table = &table;
  services.options = &options;
  services.admin_room = [this] { return room->id(); };
  services.in_room = [this](core::UserId user) { return room->is_member(std::move(user)); };
  services.own_health = [this] { return health(); };
  services.show_alert = [this](std::string message) { return watch->show_again(std::move(message)); };
  if (fallback.configured()) services.fallback = [this](std::string text) { return fallback.send(std::move(text)); };
  watch = std::make_unique<commands::AlertWatch>(services, *room, [this](std::string text) { fallback.tell(text); });
  dispatcher = std::make_unique<command::Dispatcher>(services, *room, *inbox, arrived);
  guard = std::make_unique<command::JobGuard>(services, *dispatcher);
  make_scheduler();
}

void Bot::Parts::make_scheduler() {
  jobs::Scheduler::Hooks hooks;
  hooks.daytime = [this] { return command::daytime(options); };
  hooks.held = [this] { return runner->frozen(); };
  hooks.run = [this](db::ScheduleRow schedule, core::TimePoint planned, std::chrono::seconds late) {
    return dispatcher->run_schedule(std::move(schedule), planned, late);
  };
  hooks.tell_missed = [this](std::vector<jobs::MissedRun> missed) { return dispatcher->tell_missed(std::move(missed)); };
  hooks.pause = [this](db::ScheduleRow schedule, core::Error why) { return dispatcher->pause_schedule(std::move(schedule), std::move(why)); };
  scheduler = std::make_unique<jobs::Scheduler>(stores->schedules, std::move(hooks));
}

std::string Bot::Parts::health() const {
  if (const auto since = outbox->failing_since())
    return "sends to Synapse fail since " +
           core::format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - *since));
  return fmt::format("{} events taken in, up {}", endpoint ? endpoint->appservice().counters().events : 0,
                     core::format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - services.started)));
}

std::string Bot::Parts::not_ready() const {
  if (!store || !store->connected() || store_lost) return "the store is away";
  if (!room_open) return "the bot is starting";
  if (!room->usable()) return "the admin room cannot be used";
  if (outbox->failing_since()) return "sends to Synapse fail";
  return stopping ? "the bot is stopping" : "";
}

awaitable<std::vector<Sample>> Bot::Parts::samples() {
  std::vector<Sample> samples;
  const auto up = std::chrono::duration<double>(std::chrono::steady_clock::now() - services.started);
  samples.push_back({"steward_uptime_seconds", std::floor(up.count())});
  samples.push_back({"steward_frozen", runner->frozen() ? 1.0 : 0.0});
  // For a monitor outside: a bot that hangs, or is dead, does not move it on.
  samples.push_back({"steward_last_look_timestamp_seconds", std::floor(std::chrono::duration<double>(watch->last_look().time_since_epoch()).count())});
  samples.push_back({"steward_job_running", runner->running() ? 1.0 : 0.0});
  if (endpoint) {
    const auto& counted = endpoint->appservice().counters();
    samples.push_back({"steward_transactions_total", static_cast<double>(counted.transactions)});
    samples.push_back({"steward_events_total", static_cast<double>(counted.events)});
    samples.push_back({"steward_refused_requests_total", static_cast<double>(counted.refused)});
  }
  if (!not_ready().empty()) co_return samples;
  auto counts = co_await store->query(db::sql::metrics_counts);
  if (!counts) co_return samples;
  for (const db::Row& row : *counts) samples.push_back({row.text("name"), row.number("value")});
  co_return samples;
}

awaitable<core::Result<void>> Bot::Parts::open_store() {
  auto connected = co_await store->connect();
  if (!connected) co_return core::fail(connected.error());
  if (store->behind_pooler())
    co_return core::fail(core::Code::conflict, "The bot's own connection goes through a transaction-pooling proxy",
                         "its leader lock would leak into other clients", "point `database.store` at PostgreSQL itself");
  auto migrated = co_await db::migrate(*store, config.database.schema);
  if (!migrated) co_return core::fail(migrated.error());
  co_return co_await db::take_leader(*store);
}

awaitable<core::Result<JournalMark>> Bot::Parts::read_journal() {
  auto rows = co_await store->query(db::sql::journal_position);
  if (!rows) co_return core::fail(rows.error());
  JournalMark now;
  now.last_job = rows->front().integer("last_job");
  now.last_send = rows->front().integer("last_send");
  now.heartbeat_ms = rows->front().integer("now_ms");
  now.system_identifier = mark.system_identifier;
  now.timeline = mark.timeline;
  co_return now;
}

awaitable<core::Result<void>> Bot::Parts::look_for_restore() {
  auto identity = co_await db::system_identity(*store);
  if (identity) {
    mark.system_identifier = identity->system_identifier;
    mark.timeline = identity->timeline;
  }
  auto now = co_await read_journal();
  if (!now) co_return core::fail(now.error());
  auto remembered = read_mark(config.bot.state_directory);
  if (!remembered) core::log_warning("app", "{}", core::describe(remembered.error()));
  restored = !remembered || (*remembered && is_restored(**remembered, *now));
  if (restored && remembered && *remembered) {
    auto above = co_await stores->jobs.continue_numbers_above((*remembered)->last_job);
    if (!above) co_return core::fail(above.error());
    core::log_warning("app", "the journal is older than the state directory remembers: nothing goes on by itself");
  }
  if (remembered && *remembered) away = away_for(**remembered, *now);
  mark = *now;
  co_return core::Result<void>();
}

// After a restored backup, or when nobody knows what happened for a while, what changes something waits for a person's look.
awaitable<void> Bot::Parts::pause_schedules() {
  if (!restored && away <= away_limit) co_return;
  std::string why = restored ? std::string("the journal comes from a backup") : "the bot was away for " + core::format_age(away);
  auto paused = co_await stores->schedules.pause_changing(why);
  if (!paused) core::log_error("app", "{}", core::describe(paused.error()));
  else co_await dispatcher->tell_paused(std::move(*paused), std::move(why));
}

// No job of this bot, the only one that may ask, works now: who stopped Synapse died before it was started again.
awaitable<void> Bot::Parts::end_left_window() {
  while (!stopping && host->configured()) {
    host::Request request;
    auto state = co_await host->ask(std::move(request));
    if (!state || state->value("stopped_for").empty()) co_return;
    if (state->value("working").empty()) break;
    co_await ending.wait(std::chrono::milliseconds(500));
  }
  if (stopping || !host->configured()) co_return;
  core::log_warning("app", "Synapse was stopped and not started again: steward-host is asked to");
  tasks.spawn("window", [this] { return start_synapse(); });
}

awaitable<void> Bot::Parts::start_synapse() {
  host::Request request{.verb = host::Verb::start};
  auto started = co_await host->ask(std::move(request));
  core::log_info("app", "start: {}", started ? host::ending_line(started->ending) : core::describe(started.error()));
}

awaitable<void> Bot::Parts::tell_device_made(std::string cause) {
  matrix::Message message;
  message.paragraph("Somebody deleted my device, so Synapse refused a message. I made the device again and the message was sent. "
                    "If nobody here did it, look who may administer this server.");
  matrix::Envelope envelope;
  auto said = co_await room->say("device:" + cause, std::move(message), std::move(envelope));
  if (!said) core::log_error("app", "{}", core::describe(said.error()));
}

// Until it works or the bot stops: Synapse may be down, the registration not active yet. Names that somebody else owns end it.
awaitable<bool> Bot::Parts::open_room() {
  std::string last;
  for (auto delay = std::chrono::milliseconds(500); !stopping && !store_lost; delay = std::min<std::chrono::milliseconds>(delay * 2, std::chrono::seconds(15))) {
    auto opened = co_await check_ownership(*admin, options.sender, options.bot, config.appservice.id);
    if (!opened && opened.error().code == core::Code::conflict) {
      core::log_error("app", "{}", core::describe(opened.error()));
      co_return false;
    }
    if (opened) opened = co_await room->open();
    if (opened) co_return true;
    fallback.trouble(room_topic, unreachable_limit, "the admin room cannot be opened: " + core::describe(opened.error()));
    // A room that is closed to us may be replaced by an admin's invitation: so what arrives is heard all the same.
    if (!core::is_temporary(opened.error())) start_listening();
    std::string words = core::describe(opened.error());
    if (words != last) core::log_warning("app", "the admin room is not open yet: {}", words);
    last = std::move(words);
    co_await ending.wait(delay);
  }
  co_return false;
}

// What people set with !settings wins over the configuration.
awaitable<void> Bot::Parts::apply_room_settings() {
  auto applied = co_await commands::load_settings(services);
  if (!applied) core::log_warning("app", "the room's settings are not applied: {}", core::describe(applied.error()));
}

void Bot::Parts::start_listening() {
  if (std::exchange(room_open, true)) return;
  endpoint->receive_with([this](std::vector<matrix::Event> events) { return inbox->receive(std::move(events)); },
                         [this] { return inbox->interest(); });
  tasks.spawn("dispatcher", [this] { return dispatcher->run(); });
}

awaitable<void> Bot::Parts::start_work() {
  auto loaded = co_await dispatcher->load();
  if (!loaded) core::log_error("app", "{}", core::describe(loaded.error()));
  co_await apply_room_settings();
  auto frozen = co_await stores->settings.get("frozen");
  if (frozen && *frozen) co_await runner->freeze();
  auto resumed = co_await runner->recover(restored);
  if (!resumed) core::log_error("app", "{}", core::describe(resumed.error()));
  // Before 1.141 a transaction id does not outlive Synapse's restart: what waits is first looked for in the room.
  auto version = co_await admin->server_version();
  const bool search_first = version && *version < synapse::Version{1, 141, 0, {}};
  tasks.spawn("outbox", [this, search_first] { return outbox->run(search_first); });
  if (resumed) co_await dispatcher->tell_recovered(std::move(*resumed), restored);
  co_await pause_schedules();
  auto reports = co_await commands::make_report_schedules(services);
  if (!reports) core::log_warning("app", "the reports are not scheduled: {}", core::describe(reports.error()));
  auto limits = co_await commands::make_usual_alerts(services);
  if (!limits) core::log_warning("app", "the usual limits are not set: {}", core::describe(limits.error()));
  start_listening();
  tasks.spawn("runner", [this] { return runner->run(); });
  tasks.spawn("scheduler", [this] { return scheduler->run(); });
  tasks.spawn("housekeeping", [this] { return housekeeping(); });
  tasks.spawn("alerts", [this] { return watch_limits(); });
  tasks.spawn("way to the room", [this] { return watch_way_to_room(); });
  tasks.spawn("retention", [this] { return retention(); });
  tasks.spawn("reconcile", [this] { return reconcile(); });
  // Ends Synapse's back-off towards us at once (since 1.132).
  auto pinged = co_await chat->ping(core::random_token(12));
  if (!pinged) core::log_warning("app", "Synapse cannot reach the bot: {}", core::describe(pinged.error()));
}

awaitable<void> Bot::Parts::housekeeping() {
  for (;;) {
    const bool alive = co_await async::sleep_for(housekeeping_interval);
    if (!alive) co_return;
    co_await dispatcher->expire_plans();
    co_await look_after_room();
    auto now = co_await read_journal();
    if (!now) continue;
    const bool beat = std::chrono::milliseconds(now->heartbeat_ms - mark.heartbeat_ms) >= heartbeat_interval;
    if (!beat && now->last_job == mark.last_job && now->last_send == mark.last_send) continue;
    mark = *now;
    auto written = write_mark(config.bot.state_directory, mark);
    if (!written) core::log_warning("app", "{}", core::describe(written.error()));
  }
}

awaitable<void> Bot::Parts::watch_limits() {
  for (;;) {
    const bool alive = co_await async::sleep_for(std::chrono::seconds(config.alerts.interval));
    if (!alive) co_return;
    co_await watch->look();
  }
}

// A bot that has nothing to say would not notice otherwise.
awaitable<void> Bot::Parts::watch_way_to_room() {
  for (;;) {
    const bool alive = co_await async::sleep_for(way_interval);
    if (!alive) co_return;
    const auto healthy = co_await admin->health();
    look_at_way_to_room(healthy && *healthy);
    if (healthy && *healthy) co_await room->notice_removal();
  }
}

void Bot::Parts::look_at_way_to_room(bool healthy) {
  if (!room->usable()) fallback.trouble(room_topic, unreachable_limit, "the admin room cannot be used: " + room->unusable_because());
  else if (!healthy) fallback.trouble(room_topic, unreachable_limit, "Synapse does not answer; the admin room hears nothing until it does");
  else if (outbox->failing_since()) fallback.trouble(room_topic, unreachable_limit, "Synapse takes no messages; the admin room hears nothing until it does");
  else fallback.well(room_topic, "the admin room hears the bot again");
}

// Somebody may have deleted the room, or let us in again while we were not listening.
awaitable<void> Bot::Parts::look_after_room() {
  const auto now = std::chrono::steady_clock::now();
  if (room->usable() || now < next_room_look) co_return;
  next_room_look = now + room_interval;
  auto opened = co_await room->open();
  if (opened) core::log_info("app", "the admin room is open again: {}", room->id().str());
}

awaitable<void> Bot::Parts::look_at_clock() {
  const auto skew = co_await clock_skew(*homeserver);
  if (!skew || *skew <= allowed_clock_skew) co_return;
  core::log_warning("app", "the clocks of bot and Synapse differ by {} s: set the time on both machines; schedules go by the bot's, "
                    "the age of a command by Synapse's", skew->count());
}

awaitable<void> Bot::Parts::retention() {
  const auto days = [](std::int64_t count) { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::hours(24 * count)); };
  for (;;) {
    co_await look_at_clock();
    co_await stores->inbox.forget_older_than(days(config.keep.inbox_days));
    co_await stores->outbox.forget_older_than(days(config.keep.inbox_days));
    co_await stores->jobs.forget_items_older_than(days(config.keep.item_days));
    co_await stores->audit.forget_older_than(days(config.keep.audit_days));
    co_await stores->schedules.forget_ended(ended_schedules_kept);
    co_await stores->alerts.forget_offers_older_than(days(config.keep.inbox_days));
    auto noted = co_await commands::note_table_sizes(services);
    if (!noted) core::log_warning("app", "today's table sizes are not noted: {}", core::describe(noted.error()));
    auto files = co_await stores->settings.due_uploads(options.file_retention);
    if (files) {
      for (const std::string& mxc : *files) {
        const auto media_id = core::parse_media_id(mxc);
        if (!media_id) continue;
        auto deleted = co_await admin->delete_local_media(*media_id);
        if (deleted) co_await stores->settings.forget_upload(mxc);
      }
    }
    const bool alive = co_await async::sleep_for(retention_interval);
    if (!alive) co_return;
  }
}

awaitable<void> Bot::Parts::reconcile() {
  for (;;) {
    // Not at once: what waits in Synapse's queue for us comes first and is then not missed.
    const bool settled = co_await async::sleep_for(std::chrono::seconds(20));
    if (!settled) co_return;
    co_await dispatcher->reconcile();
    const bool alive = co_await async::sleep_for(reconcile_interval);
    if (!alive) co_return;
  }
}

awaitable<void> Bot::Parts::shut_down() {
  stopping = true;
  notify_service_manager("STOPPING=1");
  runner->stop();
  const auto until = std::chrono::steady_clock::now() + stop_grace;
  while (runner->running() && std::chrono::steady_clock::now() < until && !store_lost) co_await async::sleep_for(std::chrono::milliseconds(50));
  if (endpoint) endpoint->receive_nothing();
  co_await room->close(std::chrono::seconds(2));
  if (!store_lost) {
    co_await outbox->drain(std::chrono::seconds(3));
    auto now = co_await read_journal();
    if (now) static_cast<void>(write_mark(config.bot.state_directory, *now));
  }
  socket.reset();
  bool ended = co_await dispatcher->stop();
  tasks.cancel_all();
  const bool others_ended = co_await tasks.join(std::chrono::seconds(5));
  if (!ended || !others_ended) {
    // A statement under way is what takes so long.
    co_await guard->cancel_statement();
    ended = co_await dispatcher->stop();
    ended = co_await tasks.join(std::chrono::seconds(35)) && ended;
    if (!ended) leave_at_once();
  }
}

// What still runs uses our parts, so they cannot be taken down; the journal goes on from here as after a kill -9.
void Bot::Parts::leave_at_once() const {
  core::log_error("app", "some work did not end in time; the program ends without it, the journal takes it up again");
  std::quick_exit(store_lost ? EXIT_FAILURE : EXIT_SUCCESS);
}

Bot::Bot(boost::asio::any_io_executor io, config::Config config, async::WorkThread& compute, Fallback& fallback, Endpoint* endpoint)
    : parts_(std::make_unique<Parts>(io, std::move(config), compute, fallback, endpoint)) {}
Bot::~Bot() = default;

void Bot::stop() {
  parts_->stopping = true;
  parts_->ending.notify();
}

Metrics::Source Bot::metrics() {
  Parts& parts = *parts_;
  Metrics::Source source;
  source.not_ready = [&parts] { return parts.not_ready(); };
  source.samples = [&parts] { return parts.samples(); };
  return source;
}

void Bot::reload(config::Config config) {
  Parts& parts = *parts_;
  const config::Difference difference = config::compare(parts.config, config);
  for (const std::string& key : difference.applied) core::log_info("app", "reload: {} is applied", key);
  for (const std::string& key : difference.needs_restart) core::log_warning("app", "reload: {} changed and needs a restart", key);
  command::Options fresh = options_of(config);
  parts.options.time_zone = fresh.time_zone;
  parts.options.admins = fresh.admins;
  parts.options.remote_allowed = fresh.remote_allowed;
  parts.options.max_level = fresh.max_level;
  parts.options.second_admin = fresh.second_admin;
  parts.options.share = fresh.share;
  parts.options.keep_rooms = fresh.keep_rooms;
  parts.options.rooms_in_flight = fresh.rooms_in_flight;
  parts.options.large_room = fresh.large_room;
  parts.options.media_path = fresh.media_path;
  parts.options.repack_program = fresh.repack_program;
  parts.options.repack_connection = fresh.repack_connection;
  parts.options.file_retention = fresh.file_retention;
  parts.room->set_admins(config.room.admins);
  parts.config.keep = config.keep;
  parts.config.repack = config.repack;
  parts.config.log_level = config.log_level;
  if (parts.store && parts.store->connected()) parts.tasks.spawn("settings", [&parts] { return parts.apply_room_settings(); });
}

awaitable<Ending> Bot::run() {
  Parts& parts = *parts_;
  parts.make_clients();
  if (!parts.homeserver || !parts.media) co_return Ending::failed;
  parts.make_conversation();
  auto opened = co_await parts.open_store();
  for (std::string last; !opened;) {
    std::string words = core::describe(opened.error());
    if (words != last) core::log_error("app", "{}; tried again every {} s", words, reconnect_after.count());
    last = std::move(words);
    if (!core::is_temporary(opened.error())) co_return Ending::failed;
    parts.fallback.trouble(database_topic, database_limit, "the bot cannot reach its database: " + last);
    co_await parts.ending.wait(reconnect_after);
    if (parts.stopping) co_return Ending::stopped;
    parts.store_lost = false;
    opened = co_await parts.open_store();
  }
  parts.fallback.well(database_topic, "the bot reaches its database again");
  auto looked = co_await parts.look_for_restore();
  if (!looked) co_return Ending::restart;
  if (!parts.endpoint->listening()) {
    core::log_error("app", "{}", core::describe(parts.endpoint->listening().error()));
    co_return Ending::failed;
  }
  co_await parts.end_left_window();
  const bool in_room = co_await parts.open_room();
  if (!in_room && !parts.stopping && !parts.store_lost) {
    co_await parts.shut_down();
    co_return Ending::failed;
  }
  if (in_room) {
    co_await parts.start_work();
    auto listening = ControlSocket::listen(parts.io, parts.config.bot.socket, [&parts](command::TerminalLine line, std::function<void(std::string)> print) -> awaitable<LineResult> {
      auto result = co_await parts.dispatcher->terminal(std::move(line), std::move(print));
      co_return LineResult{result.exit_code, result.json};
    });
    if (listening) {
      parts.socket = std::move(*listening);
      parts.tasks.spawn("control socket", [&parts] { return parts.socket->run(); });
    } else {
      core::log_warning("app", "{}", core::describe(listening.error()));
    }
    notify_service_manager("READY=1");
    core::log_info("app", "ready: {} in {}, endpoint {}:{}", parts.options.bot.str(), parts.room->id().str(),
                   parts.config.appservice.bind_address, parts.endpoint->port());
    while (!parts.stopping && !parts.store_lost) co_await parts.ending.wait(std::chrono::hours(1));
  }
  const bool lost = parts.store_lost && !parts.stopping;
  co_await parts.shut_down();
  co_return lost ? Ending::restart : Ending::stopped;
}

awaitable<core::Result<command::Dispatcher::TerminalResult>> Bot::run_line(command::TerminalLine line, std::function<void(std::string)> print) {
  Parts& parts = *parts_;
  parts.make_clients();
  if (!parts.homeserver || !parts.media) co_return core::fail(core::Code::bad_input, "homeserver.url cannot be used");
  parts.make_conversation();
  auto opened = co_await parts.open_store();
  if (!opened) co_return core::fail(opened.error());
  auto looked = co_await parts.look_for_restore();
  if (!looked) co_return core::fail(looked.error());
  // The room hears of it too; without Synapse its messages wait in the outbox for the next run.
  auto room_open = co_await parts.room->open();
  if (!room_open) print("The admin room cannot be reached now: " + core::describe(room_open.error()));
  auto loaded = co_await parts.dispatcher->load();
  if (!loaded) co_return core::fail(loaded.error());
  co_await parts.apply_room_settings();
  auto frozen = co_await parts.stores->settings.get("frozen");
  if (frozen && *frozen) co_await parts.runner->freeze();
  parts.tasks.spawn("outbox", [&parts] { return parts.outbox->run(/*search_first=*/false); });
  parts.tasks.spawn("runner", [&parts] { return parts.runner->run(); });
  auto result = co_await parts.dispatcher->terminal(std::move(line), std::move(print));
  co_await parts.shut_down();
  co_return result;
}

}  // namespace steward::app
