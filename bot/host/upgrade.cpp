// The upgrade, a part of Actions: build a second environment, see that there is a way back, stop, switch the link, start, wait, ask
// the version, and go back when it is not the wanted one. Until the stop nothing of the running Synapse is touched.
#include <fmt/format.h>

#include <filesystem>

#include "core/text.hpp"
#include "host/actions.hpp"
#include "host/environment.hpp"

namespace steward::host {

using boost::asio::awaitable;

namespace {

constexpr auto build_limit = std::chrono::hours(1);
constexpr auto check_limit = std::chrono::minutes(5);
constexpr auto fresh_dump = std::chrono::hours(24);

std::string replace(std::string text, const std::string& placeholder, const std::string& value) {
  for (std::size_t at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + value.size())) text.replace(at, placeholder.size(), value);
  return text;
}

Words filled(Words words, const std::string& environment, const std::string& version) {
  for (std::string& word : words) word = replace(replace(std::move(word), "{environment}", environment), "{version}", version);
  return words;
}

}  // namespace

core::Result<Actions::Upgrade> Actions::prepare(const std::string& version) const {
  Upgrade upgrade{version, settings_.environments + "/" + version, target_of(settings_.link), {}};
  if (upgrade.before.empty()) return core::fail(core::Code::conflict, settings_.link + " is no symbolic link to an environment");
  auto installed = look_into(upgrade.before);
  if (!installed) return core::fail(installed.error());
  upgrade.version_before = installed->version;
  const int order = compare_versions(version, installed->version);
  if (order < 0) return core::fail(core::Code::rejected, fmt::format("{} is older than the installed {}", version, installed->version));
  if (order == 0) return core::fail(core::Code::conflict, version + " is installed already");
  if (upgrade.environment == upgrade.before) return core::fail(core::Code::conflict, "The environment " + upgrade.environment + " is in use");
  return upgrade;
}

awaitable<Actions::Ended> Actions::build(Upgrade upgrade, Say say) {
  say(fmt::format("Building an environment with Synapse {} beside the running {}", upgrade.version, upgrade.version_before));
  std::error_code error;
  std::filesystem::remove_all(upgrade.environment, error);  // of an attempt before
  std::filesystem::create_directories(settings_.environments, error);
  auto ended = co_await run(filled(settings_.create, upgrade.environment, upgrade.version), build_limit, say);
  if (ended.good) ended = co_await run(filled(settings_.install, upgrade.environment, upgrade.version), build_limit, say);
  if (!ended.good) co_return ended;
  const auto built = look_into(upgrade.environment);
  if (!built) co_return Ended{false, core::describe(built.error())};
  if (compare_versions(built->version, upgrade.version) != 0)
    co_return Ended{false, fmt::format("{} was installed, not {} (does its Python allow the new one?)", built->version, upgrade.version)};
  say("The environment is built");
  if (settings_.check.empty()) co_return ended;
  ended = co_await run(filled(settings_.check, upgrade.environment, upgrade.version), check_limit, say);
  if (ended.good) say("The configuration fits " + upgrade.version);
  else ended.why = fmt::format("the configuration does not fit {}, {}", upgrade.version, ended.why);
  co_return ended;
}

// Refused where the new release would leave a database that the old one cannot open, unless there is a fresh dump of it.
Ending Actions::way_back(const Upgrade& upgrade, const Say& say) const {
  const auto before = look_into(upgrade.before), after = look_into(upgrade.environment);
  const bool known = before && after && before->schema && after->schema_compat;
  if (known && *after->schema_compat <= *before->schema) {
    say(fmt::format("Way back: {} can open the database after {} (schema {}, compatible from {})", upgrade.version_before, upgrade.version, *before->schema,
                    *after->schema_compat));
    return done("");
  }
  const std::string why = known ? fmt::format("after {} the database is for schema {} and later, {} knows {}", upgrade.version, *after->schema_compat,
                                              upgrade.version_before, *before->schema)
                                : std::string("the releases do not tell their schema");
  const auto dump = settings_.dumps.empty() ? core::fail(core::Code::not_found, "`dumps` is not set in host.yaml") : newest_dump(settings_.dumps);
  if (!dump) return refused("No way back without a dump: " + why + ". " + core::describe(dump.error()));
  if (dump->kind.empty() || dump->age > fresh_dump)
    return refused(fmt::format("No way back without a dump: {}. The newest, {}, {}", why, core::clean_name(dump->name),
                               dump->kind.empty() ? std::string("is no dump of PostgreSQL's") : "is " + core::format_age(dump->age) + " old, older than a day"));
  say(fmt::format("No way back but the dump {}, {} old: {}", core::clean_name(dump->name), core::format_age(dump->age), why));
  return done("");
}

awaitable<Ending> Actions::upgrade(std::string version, Say say) {
  auto prepared = prepare(version);
  if (!prepared) co_return refused(core::describe(prepared.error()));
  if (std::string why = why_no_stop(); !why.empty()) co_return refused(std::move(why));
  auto built = co_await build(*prepared, say);
  if (!built.good) co_return failed(fmt::format("The new environment cannot be used, so Synapse was not touched and {} runs on: {}", prepared->version_before, built.why));
  if (Ending back = way_back(*prepared, say); back.kind != Ending::Kind::done) co_return back;

  auto noted = note_stop();
  if (noted) noted = notes_.put("upgrade", version + " " + prepared->before);
  if (!noted) co_return refused(core::describe(noted.error()));
  say("Stopping Synapse " + prepared->version_before);
  auto stopped = co_await stop_synapse(say);
  if (!stopped.good) co_return co_await go_back(*prepared, "it was not stopped: " + stopped.why, say);
  if (auto switched = switch_link(settings_.link, prepared->environment); !switched) co_return co_await go_back(*prepared, core::describe(switched.error()), say);
  say("The link is switched; starting Synapse " + version);
  co_return co_await bring_up(*prepared, say);
}

awaitable<Ending> Actions::bring_up(Upgrade upgrade, Say say) {
  auto came = co_await start_synapse(*settings_.action(Verb::start), say);
  if (!came.up) co_return co_await go_back(std::move(upgrade), came.why, say);
  if (compare_versions(came.version, upgrade.version) != 0)
    co_return co_await go_back(upgrade, fmt::format("the server says it is {}: it is not started through {}", came.version, settings_.link), say);
  notes_.erase("upgrade");
  co_return done(fmt::format("Synapse was upgraded from {} to {}; the old environment stays in {}", upgrade.version_before, upgrade.version, upgrade.before));
}

awaitable<Ending> Actions::go_back(Upgrade upgrade, std::string why, Say say) {
  say(fmt::format("Synapse {} is not used: {}", upgrade.version, why));
  say("Going back to " + upgrade.version_before);
  // Also a server that came up wrong, and a service manager that goes on trying.
  auto stopped = co_await stop_synapse(say);
  if (!stopped.good) say("Synapse was not stopped: " + stopped.why);
  if (auto switched = switch_link(settings_.link, upgrade.before); !switched) say(core::describe(switched.error()));
  auto came = co_await start_synapse(*settings_.action(Verb::start), say);
  notes_.erase("upgrade");
  if (came.up) co_return failed(fmt::format("Rolled back: Synapse {} runs again. {} was not used: {}", came.version, upgrade.version, why));
  co_return failed(fmt::format("Neither comes up: {} ({}), {} ({}). The logs of Synapse and of this program say why", upgrade.version, why, upgrade.version_before, came.why));
}

awaitable<void> Actions::finish_upgrade(Say say) {
  const auto note = notes_.get("upgrade");
  if (!note || !settings_.can_upgrade()) co_return;
  const std::size_t blank = note->find(' ');
  if (blank == std::string::npos) co_return notes_.erase("upgrade");
  Upgrade upgrade{note->substr(0, blank), settings_.environments + "/" + note->substr(0, blank), note->substr(blank + 1), "the release before"};
  if (const auto before = look_into(upgrade.before)) upgrade.version_before = before->version;
  say(fmt::format("This program ended in the middle of the upgrade to {}", upgrade.version));
  const bool switched = target_of(settings_.link) == upgrade.environment;
  auto going_on = switched ? bring_up(upgrade, say) : go_back(upgrade, "the link was not switched yet", say);
  const Ending ending = co_await std::move(going_on);
  say(ending_line(ending));
}

}  // namespace steward::host
