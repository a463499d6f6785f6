#include "commands/host_actions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;
using jobs::ItemOutcome;
using State = jobs::ItemOutcome::State;

namespace {

constexpr auto told_limit = std::chrono::seconds(10);
constexpr auto look_every = std::chrono::milliseconds(500);
constexpr auto away_limit = std::chrono::minutes(5);
constexpr std::size_t story_lines = 8;
constexpr const char* asked = "host.asked";  // the job whose request was sent

ItemOutcome outcome_of(const host::Ending& ending) {
  ItemOutcome outcome = jobs::outcome(ending.kind == host::Ending::Kind::done ? State::done : State::failed, core::clean_name(ending.text, 400));
  if (ending.kind == host::Ending::Kind::refused) outcome.text = "refused, nothing was touched: " + outcome.text;
  outcome.notice = outcome.text;
  return outcome;
}

}  // namespace

awaitable<core::Result<host::Reply>> host_state(Context& context) {
  if (!context.services.host) co_return core::fail(core::Code::not_found, "No host action is configured");
  host::Request request;
  auto reply = co_await context.services.host->ask(std::move(request));
  if (reply && reply->ending.kind != host::Ending::Kind::done) co_return core::fail(core::Code::rejected, "steward-host refuses", reply->ending.text);
  co_return reply;
}

core::Result<void> can_stop_for(const host::Reply& state, host::Verb verb) {
  const std::vector<std::string> actions = core::split(state.value("actions"), ',');
  const auto allowed = [&actions](host::Verb each) { return std::find(actions.begin(), actions.end(), host::name(each)) != actions.end(); };
  const bool may = verb == host::Verb::restart ? allowed(host::Verb::restart) || allowed(host::Verb::stop) : allowed(verb);
  const std::string setting = verb == host::Verb::upgrade ? "upgrade" : "actions." + std::string(host::name(verb));
  if (!may)
    return core::fail(core::Code::not_found, fmt::format("steward-host may not {}", host::name(verb)), fmt::format("`{}` is not set in its host.yaml", setting),
                      "write the exact argument vector there, on Synapse's machine, and restart steward-host (docs/host.md)");
  if (const std::string working = state.value("working"); !working.empty()) return core::fail(core::Code::conflict, "steward-host is at work", core::clean_name(working));
  if (const std::string why = state.value("no_stop"); !why.empty()) return core::fail(core::Code::conflict, "Synapse cannot be stopped yet", core::clean_name(why, 200));
  return {};
}

jobs::Item host_item(const host::Request& request) {
  return {.kind = "host", .target = request.text(), .label = request.text(), .bytes = {}, .rows = 0, .note = {}};
}

awaitable<ItemOutcome> act_on_host(host::Request request, std::vector<std::string>& story, jobs::Progress& progress, Context& context) {
  auto last = co_await context.stores().settings.get(asked);
  if (!last) co_return jobs::outcome(State::failed, core::describe(last.error()));
  const std::string job = std::to_string(progress.job());
  // The bot was stopped while it waited for the answer.
  if (*last && **last == job) co_return co_await settle_host(std::move(request), story, progress, context);
  co_await until_told(progress, context);
  auto noted = co_await context.stores().settings.put(asked, job);
  if (!noted) co_return jobs::outcome(State::failed, core::describe(noted.error()));
  host::Client::OnLine on_line = [&story, &progress](std::string line) -> awaitable<void> {
    line = core::clean_name(line, 300);
    story.push_back(line);
    co_await progress.notice(std::move(line));
  };
  auto reply = co_await context.services.host->ask(request, std::move(on_line));
  if (reply) co_return outcome_of(reply->ending);
  if (reply.error().code == core::Code::in_doubt) co_return co_await settle_host(std::move(request), story, progress, context);
  co_return jobs::outcome(State::failed, core::describe(reply.error()));
}

awaitable<ItemOutcome> settle_host(host::Request request, std::vector<std::string>& story, jobs::Progress& progress, Context& context) {
  const auto began = std::chrono::steady_clock::now();
  for (;;) {
    auto state = co_await host_state(context);
    if (state && state->value("last") == request.text() && !state->value("last_ending").empty()) {
      story = state->values("last_line");
      for (std::string& line : story) line = core::clean_name(line, 300);
      co_return outcome_of(*host::read_ending(state->value("last_ending")));
    }
    if (state && state->value("working").empty())
      co_return jobs::outcome(State::unknown, "steward-host was restarted and does not know what became of it; its log does");
    if (!state && std::chrono::steady_clock::now() - began > away_limit) co_return jobs::outcome(State::unknown, core::describe(state.error()));
    const bool going_on = co_await progress.wait(look_every);
    if (!going_on) co_return jobs::outcome(State::given_back);
  }
}

awaitable<core::Result<jobs::Receipt>> run_on_host(host::Request request, jobs::Progress& progress, Context& context) {
  std::vector<std::string> story;
  jobs::Progress::Act act = [&request, &story, &progress, &context](db::ItemRow) { return act_on_host(request, story, progress, context); };
  jobs::Progress::Act settle = [&request, &story, &progress, &context](db::ItemRow) { return settle_host(request, story, progress, context); };
  progress.header(request.text());
  auto totals = co_await progress.for_each_item("steps", 1, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  std::vector<std::string> all_states;
  auto items = co_await context.stores().jobs.items(progress.job(), std::move(all_states), 1);
  if (!items) co_return core::fail(items.error());
  jobs::Receipt receipt;
  receipt.title = items->empty() || items->front().error.empty() ? request.text() : items->front().error;
  const std::size_t first = story.size() > story_lines ? story.size() - story_lines : 0;
  receipt.lines.assign(story.begin() + static_cast<std::ptrdiff_t>(first), story.end());
  receipt.lines.push_back(co_await synapse_line(context));
  receipt.complete = totals->done == 1;
  co_return receipt;
}

awaitable<void> until_told(jobs::Progress& progress, Context& context) {
  const auto until = std::chrono::steady_clock::now() + told_limit;
  while (std::chrono::steady_clock::now() < until) {
    auto row = co_await context.stores().outbox.find(fmt::format("live:{}", progress.job()));
    if (row && *row && !(*row)->event_id.empty()) co_return;
    const bool going_on = co_await progress.wait(std::chrono::milliseconds(100));
    if (!going_on) co_return;
  }
}

std::string release(const synapse::Version& version) { return version.text.substr(0, version.text.find(' ')); }

awaitable<std::string> synapse_line(Context& context) {
  auto version = co_await context.admin().server_version();
  if (!version) co_return "Synapse: away, " + core::describe(version.error());
  auto healthy = co_await context.admin().health();
  co_return fmt::format("Synapse: {}, {}", release(*version), healthy && *healthy ? "healthy" : "its health check fails");
}

std::string DumpFound::words() const {
  return fmt::format("{}, {} old, {}, {}", core::clean_name(name), core::format_age(age), core::format_size(size), kind.empty() ? "not the head of a dump" : kind);
}

awaitable<core::Result<DumpFound>> newest_dump(Context& context) {
  if (!context.services.host) co_return core::fail(core::Code::not_found, "No host action is configured");
  host::Request request{.verb = host::Verb::dump};
  auto reply = co_await context.services.host->ask(std::move(request));
  if (!reply) co_return core::fail(reply.error());
  if (reply->ending.kind == host::Ending::Kind::refused)
    co_return core::fail(core::Code::not_found, "No folder of dumps is configured", core::clean_name(reply->ending.text, 200), "set it on Synapse's machine and restart steward-host");
  if (reply->ending.kind == host::Ending::Kind::failed) co_return core::fail(core::Code::rejected, "There is no backup to see", core::clean_name(reply->ending.text, 200));
  const auto number = [&reply](const char* name) { return std::strtoll(reply->value(name).c_str(), nullptr, 10); };
  co_return DumpFound{reply->value("name"), reply->value("kind"), core::Bytes{number("bytes")}, std::chrono::seconds(number("age"))};
}

core::Result<std::vector<DiskFigure>> read_disk_figures(const std::vector<std::string>& lines) {
  std::vector<DiskFigure> figures;
  for (const std::string& line : lines) {
    std::istringstream words(line);
    DiskFigure figure;
    if (!(words >> figure.size.count >> figure.free.count)) continue;  // the heading
    std::getline(words >> std::ws, figure.place);
    if (figure.place.empty() || figure.size.count <= 0 || figure.free.count < 0) continue;
    figure.place = core::clean_name(figure.place);
    figures.push_back(std::move(figure));
  }
  if (figures.empty())
    return core::fail(core::Code::protocol, "The disk figures cannot be read", "no line of `actions.disk` has size, free bytes and a place",
                      "use df -B1 --output=size,avail,target there");
  return figures;
}

awaitable<core::Result<std::vector<DiskFigure>>> disk_figures(Context& context) {
  if (!context.services.host) co_return core::fail(core::Code::not_found, "No host action is configured");
  host::Request request{.verb = host::Verb::disk};
  auto reply = co_await context.services.host->ask(std::move(request));
  if (!reply) co_return core::fail(reply.error());
  if (reply->ending.kind != host::Ending::Kind::done) {
    const auto code = reply->ending.kind == host::Ending::Kind::refused ? core::Code::not_found : core::Code::rejected;
    co_return core::fail(code, core::clean_name(reply->ending.text, 200));
  }
  co_return read_disk_figures(reply->lines);
}

}  // namespace steward::commands
