// The doctor's look at Synapse: is it there, does it know us, may we administer, does it reach us.
#include "app/check_report.hpp"
#include "app/clock.hpp"
#include "app/setup_homeserver.hpp"
#include "app/setup_identity.hpp"
#include "core/text.hpp"

namespace steward::app {

using boost::asio::awaitable;
using core::Code;

namespace {

const synapse::Version oldest_supported{1, 106, 0, {}};
constexpr int newest_tried_minor = 163;

awaitable<void> check_version(Report& report, Homeserver& homeserver) {
  const auto version = co_await homeserver.admin.server_version();
  if (!version) {
    report.error(Verdict::fail, "Synapse's version", version.error(),
                 "homeserver.url must lead to Synapse's own listener: proxies hide /_synapse/admin");
  } else if (*version < oldest_supported) {
    report.fail("Synapse " + version->text + " is older than 1.106", "upgrade Synapse");
  } else if (version->major > 1 || version->minor > newest_tried_minor) {
    report.warn(fmt::format("Synapse {} is newer than the newest tried one (1.{})", version->text, newest_tried_minor),
                "look for a newer synapse-steward; what it does not know it refuses");
  } else {
    report.ok("Synapse " + version->text + " answers");
  }
}

awaitable<void> check_clock(Report& report, Homeserver& homeserver) {
  const auto skew = co_await clock_skew(*homeserver.http);
  if (!skew) co_return;
  if (*skew <= allowed_clock_skew) {
    report.ok("the clocks of bot and Synapse agree");
  } else {
    report.warn(fmt::format("the clocks of bot and Synapse differ by {} s", skew->count()),
                "set the time on both machines (the bot judges the age of commands by Synapse's own word)");
  }
}

awaitable<bool> check_registered(Report& report, Homeserver& homeserver) {
  const auto state = co_await ask_registration(homeserver);
  if (state.state == Registered::yes) {
    report.ok("Synapse accepts the as_token, as " + homeserver.sender.str());
    co_return true;
  }
  const bool unknown = state.state == Registered::no;
  report.error(Verdict::fail, unknown ? "Synapse does not accept the as_token" : "Synapse", state.error,
               "name the registration in homeserver.yaml under app_service_config_files and restart Synapse");
  co_return false;
}

// Ownership can be seen with an admin's right only; without it the right is what to mend first.
awaitable<void> check_right(Report& report, Homeserver& homeserver, const config::Config& config) {
  const bool own_token = !config.admin_token.empty();
  const auto rights = co_await homeserver.admin.check_rights();
  if (!rights && rights.error().code == Code::not_allowed) {
    const auto mas = co_await homeserver.admin.uses_mas();
    const bool under_mas = mas && *mas;
    std::string mend;  // on one line, as all findings
    for (const std::string& line : admin_instructions(config, homeserver.sender, under_mas)) {
      mend += (mend.empty() ? "" : " ") + std::string(core::trim(line));
    }
    report.fail(fmt::format("{} may not administer: {}", own_token ? "the admin_token" : homeserver.sender.str(), rights.error().why),
                std::move(mend));
    co_return;
  }
  if (!rights) {
    report.error(Verdict::fail, "the admin API", rights.error(), "run steward setup");
    co_return;
  }
  report.ok(own_token ? "the admin_token administers" : homeserver.sender.str() + " is a server admin");
  const auto ours = co_await check_ownership(homeserver.admin, homeserver.sender, homeserver.chat, config.appservice.id);
  if (ours) {
    report.ok(homeserver.chat.str() + " and " + homeserver.sender.str() + " belong to the bot");
  } else {
    report.error(Verdict::fail, "", ours.error(), "run steward setup");
  }
  const auto device = co_await homeserver.matrix.whoami();
  if (!device) report.error(Verdict::warn, "the bot's device", device.error(), "run steward setup, or start the bot: it makes the device");
}

awaitable<void> check_reach(Report& report, boost::asio::any_io_executor io, Homeserver& homeserver, const config::Config& config) {
  const Reach reach = co_await prove_reach(io, homeserver, config);
  const std::string_view who = reach.bot_runs ? "the running bot" : "this machine (the bot does not run now)";
  if (reach.ping) {
    report.ok(fmt::format("Synapse reaches {} with the right hs_token, in {} ms", who, reach.ping->count()));
  } else if (!reach.listened) {
    report.error(Verdict::fail, "appservice.bind", reach.ping.error(), "choose another port");
  } else {
    report.error(Verdict::fail, fmt::format("Synapse does not reach {}", who), reach.ping.error(),
                 "compare url in the registration with appservice.bind");
  }
}

}  // namespace

awaitable<bool> check_homeserver(Report& report, boost::asio::any_io_executor io, const config::Config& config) {
  auto connected = connect_homeserver(io, config);
  if (!connected) {
    report.error(Verdict::fail, "homeserver.url", connected.error(), "correct it");
    co_return false;
  }
  Homeserver& homeserver = **connected;
  const auto versions = co_await homeserver.matrix.versions();
  if (!versions) {
    report.error(Verdict::fail, "homeserver.url", versions.error(), "start Synapse, or correct the address");
    co_return false;
  }
  co_await check_version(report, homeserver);
  co_await check_clock(report, homeserver);
  const bool registered = co_await check_registered(report, homeserver);
  if (registered) {
    co_await check_right(report, homeserver, config);
    co_await check_reach(report, io, homeserver, config);
  }
  co_return true;
}

}  // namespace steward::app
