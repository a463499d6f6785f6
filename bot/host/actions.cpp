#include "host/actions.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>
#include <set>

#include "async/subprocess.hpp"
#include "async/tasks.hpp"
#include "core/text.hpp"
#include "host/environment.hpp"

namespace steward::host {

using boost::asio::awaitable;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr auto stop_limit = std::chrono::minutes(10);  // Synapse finishes what it is at
constexpr auto backup_limit = std::chrono::hours(24);
constexpr auto disk_limit = seconds(30);
constexpr auto look_every = milliseconds(500);
constexpr auto tell_every = seconds(60);
constexpr std::size_t most_processes = 4;  // of one start: more means that it dies and is started again and again

std::string since(Clock::time_point began) { return core::format_duration(std::chrono::duration_cast<milliseconds>(Clock::now() - began)); }

// A program that runs while we look at something else.
struct Running {
  std::optional<core::Result<async::SubprocessEnd>> end;
  std::string last_line;
  bool give_up = false;

  bool failed() const { return end && (!*end || (*end)->exit_code != 0); }
  std::string why() const {
    if (!end) return "the start command hangs";
    if (!*end) return core::describe(end->error());
    return fmt::format("the start command ended with {}{}", (*end)->exit_code, last_line.empty() ? "" : ": " + core::clean_name(last_line, 200));
  }
};

async::Subprocess program(Words words, const Settings& settings) {
  async::Subprocess subprocess;
  subprocess.program = words.front();
  subprocess.arguments.assign(words.begin() + 1, words.end());
  subprocess.environment = settings.environment;
  return subprocess;
}

std::shared_ptr<Running> start_program(boost::asio::any_io_executor io, Words words, const Settings& settings, const Say& say) {
  auto running = std::make_shared<Running>();
  async::Subprocess subprocess = program(std::move(words), settings);
  subprocess.on_line = [running, say](std::string line) {
    say("| " + line);
    running->last_line = std::move(line);
  };
  subprocess.stop = [running] { return running->give_up; };
  subprocess.limit = std::chrono::hours(24 * 365);  // it may be what migrates the database
  auto work = [running, io, subprocess = std::move(subprocess)]() mutable -> awaitable<void> {
    auto ran = co_await async::run(io, std::move(subprocess));
    running->end = std::move(ran);
  };
  boost::asio::co_spawn(io, std::move(work), boost::asio::detached);
  return running;
}

}  // namespace

core::Result<std::unique_ptr<Actions>> Actions::create(boost::asio::any_io_executor io, Settings settings) {
  http::ClientOptions options;
  options.base_url = settings.synapse_url;
  options.user_agent = std::string("steward-host/") + STEWARD_VERSION;
  auto http = http::Client::create(io, std::move(options));
  if (!http) return core::fail(http.error());
  return std::unique_ptr<Actions>(new Actions(io, std::move(settings), std::move(*http)));
}

Actions::Actions(boost::asio::any_io_executor io, Settings settings, std::unique_ptr<http::Client> http)
    : io_(io), settings_(std::move(settings)), http_(std::move(http)), admin_(*http_, *http_, synapse::AdminOptions()), notes_(settings_.state) {}

// Lines that start with "| " are a program's own: they go to the log only.
awaitable<Actions::Ended> Actions::run(Words words, seconds limit, Say say) {
  async::Subprocess subprocess = program(std::move(words), settings_);
  subprocess.limit = limit;
  std::string last;
  subprocess.on_line = [&say, &last](std::string line) {
    say("| " + line);
    last = std::move(line);
  };
  auto end = co_await async::run(io_, std::move(subprocess));
  Ended ended;
  if (!end) ended.why = core::describe(end.error());
  else if (end->timed_out) ended.why = "it took longer than " + core::format_duration(limit);
  else if (end->exit_code != 0) ended.why = fmt::format("it ended with {}{}", end->exit_code, last.empty() ? "" : ": " + core::clean_name(last, 200));
  else ended.good = true;
  co_return ended;
}

awaitable<bool> Actions::answers() {
  auto healthy = co_await admin_.health();
  co_return healthy && *healthy;
}

std::string Actions::why_no_stop() const {
  const auto last = notes_.time("last_stop");
  if (!last) return {};
  const auto left = settings_.stop_every - (now() - *last);
  if (left <= seconds::zero() || left > settings_.stop_every) return {};
  return fmt::format("Synapse was stopped {} ago; one stop in {} is allowed, the next in {}", core::format_duration(now() - *last),
                     core::format_duration(settings_.stop_every), core::format_duration(left));
}

core::Result<void> Actions::note_stop() {
  auto written = notes_.put("window", std::to_string((now() + settings_.window).count()));
  return written ? notes_.put("last_stop", std::to_string(now().count())) : written;
}

bool Actions::window_is_over() const {
  const auto end = notes_.time("window");
  return end && now() >= *end && settings_.action(Verb::start) != nullptr;
}

awaitable<Actions::Ended> Actions::stop_synapse(Say say) {
  const auto began = Clock::now();
  Words words = *settings_.action(Verb::stop);
  auto ended = co_await run(std::move(words), stop_limit, say);
  bool up = true;
  while (ended.good && up && Clock::now() - began < stop_limit) {
    up = !synapse_processes(settings_.process).empty();
    if (!up) up = co_await answers();
    if (up) co_await async::sleep_for(look_every);
  }
  if (ended.good && up) ended = {false, "the stop command ended, but Synapse is still there"};
  if (ended.good) say("Synapse is stopped after " + since(began));
  co_return ended;
}

awaitable<Ending> Actions::stop(Say say) {
  if (std::string why = why_no_stop(); !why.empty()) co_return refused(std::move(why));
  if (auto noted = note_stop(); !noted) co_return refused(core::describe(noted.error()));
  auto ended = co_await stop_synapse(std::move(say));
  if (ended.good) co_return done("Synapse is stopped; it is started again in " + core::format_duration(settings_.window) + " at the latest");
  const bool up = co_await answers();
  if (up) notes_.erase("window");
  co_return failed("Synapse was not stopped: " + ended.why);
}

// Up: it answers. Not up: the command failed or hangs and no process of Synapse lives, or one after another dies. As long as a
// process lives it is waited for, however long: a migration of the database must not be broken off.
awaitable<Actions::Came> Actions::start_synapse(Words words, Say say) {
  const auto running = start_program(io_, std::move(words), settings_, say);
  const auto began = Clock::now();
  const auto settle = std::min<seconds>(settings_.start_limit, seconds(20));
  auto alive_at = began, told_at = began;
  std::set<pid_t> seen;
  Came came;
  while (!came.up && came.why.empty()) {
    co_await async::sleep_for(look_every);
    const bool answering = co_await answers();
    // Before the end of a restart it may be the old server that answers.
    came.up = answering && (running->end || Clock::now() - began > settings_.start_limit);
    const std::set<pid_t> alive = synapse_processes(settings_.process);
    seen.insert(alive.begin(), alive.end());
    const auto time = Clock::now();
    if (!alive.empty() || (!running->end && time - began < settings_.start_limit)) alive_at = time;
    if (came.up) break;
    if (running->failed() && alive.empty()) came.why = running->why();
    else if (time - alive_at > settle) came.why = running->end ? "no process of Synapse is there" : running->why();
    else if (seen.size() >= most_processes + alive.size()) came.why = "Synapse dies and is started again and again; its log says why";
    if (!alive.empty() && time - told_at > tell_every) {
      told_at = time;
      say("Synapse's process lives and does not answer for " + since(began) + ": a migration of its database may be at work; waiting");
    }
  }
  running->give_up = !came.up;
  while (!came.up && !running->end) co_await async::sleep_for(look_every);
  if (!came.up) co_return came;
  auto version = co_await admin_.server_version();
  // "1.163.2 (b=main,1a2b3c)" where it runs from a checkout.
  came.version = version ? version->text.substr(0, version->text.find(' ')) : "of a version that it does not tell";
  say("Synapse " + came.version + " answers after " + since(began));
  notes_.erase("window");
  co_return came;
}

awaitable<Ending> Actions::start(Say say) {
  auto came = co_await start_synapse(*settings_.action(Verb::start), std::move(say));
  // Not tried for ever: at the window's end once, and when somebody asks.
  if (!came.up) notes_.erase("window");
  co_return came.up ? done("Synapse " + came.version + " answers") : failed("Synapse does not come up: " + came.why);
}

awaitable<Ending> Actions::restart(Say say) {
  if (std::string why = why_no_stop(); !why.empty()) co_return refused(std::move(why));
  if (auto noted = note_stop(); !noted) co_return refused(core::describe(noted.error()));
  const Words* own = settings_.action(Verb::restart);
  if (!own) {
    auto ended = co_await stop_synapse(say);
    if (!ended.good) say("Synapse was not stopped: " + ended.why);
  }
  Words words = own ? *own : *settings_.action(Verb::start);
  auto came = co_await start_synapse(std::move(words), std::move(say));
  co_return came.up ? done("Synapse " + came.version + " answers") : failed("Synapse does not come up: " + came.why);
}

awaitable<Ending> Actions::backup(Say say) {
  const auto began = Clock::now();
  auto ended = co_await run(*settings_.action(Verb::backup), backup_limit, say);
  if (!ended.good) co_return failed("The backup failed: " + ended.why);
  co_return done("The backup took " + since(began));
}

awaitable<Ending> Actions::disk(Say say) {
  // Its output is the answer.
  Say answer = [say](std::string line) { say(line.starts_with("| ") ? line.substr(2) : line); };
  auto ended = co_await run(*settings_.action(Verb::disk), disk_limit, std::move(answer));
  co_return ended.good ? done("") : failed("The disk figures cannot be read: " + ended.why);
}

Ending Actions::dump(const Say& say) const {
  if (settings_.dumps.empty()) return refused("`dumps` is not set in host.yaml: the folder of the database dumps");
  const auto dump = newest_dump(settings_.dumps);
  if (!dump) return failed(core::describe(dump.error()));
  say("name=" + core::clean_name(dump->name, 80));
  say("kind=" + dump->kind);
  say(fmt::format("bytes={}", dump->size.count));
  say(fmt::format("age={}", dump->age.count()));
  return done("");
}

Ending Actions::state(const Say& say) const {
  std::vector<std::string> actions;
  for (const auto& [verb, words] : settings_.actions) actions.emplace_back(name(verb));
  if (settings_.can_upgrade()) actions.emplace_back("upgrade");
  say("actions=" + core::join(actions, ","));
  say(fmt::format("window={}", settings_.window.count()));
  if (const auto end = notes_.time("window")) say(fmt::format("stopped_for={}", (*end - now()).count()));
  if (const std::string why = why_no_stop(); !why.empty()) say("no_stop=" + why);
  if (!settings_.can_upgrade()) return done("");
  const std::string environment = target_of(settings_.link);
  const auto installed = look_into(environment);
  if (!installed) return say("no_upgrade=" + (environment.empty() ? settings_.link + " is no symbolic link" : core::describe(installed.error()))), done("");
  say("installed=" + installed->version);
  say("python=" + installed->python);
  if (installed->schema) say(fmt::format("schema={}", *installed->schema));
  return done("");
}

}  // namespace steward::host
