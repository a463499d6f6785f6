#include "app/setup.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "app/homeserver_yaml.hpp"
#include "app/setup_database.hpp"
#include "app/setup_files.hpp"
#include "app/setup_homeserver.hpp"
#include "app/setup_identity.hpp"
#include "app/setup_plan.hpp"
#include "app/setup_secrets.hpp"
#include "app/setup_terminal.hpp"
#include "async/tasks.hpp"
#include "config/config.hpp"
#include "core/text.hpp"
#include "db/grants.hpp"

namespace steward::app {

using core::Code;
using core::Result;

namespace {

constexpr std::string_view schema = "steward";

// What one run of setup knows.
struct Run {
  const SetupOptions& options;
  std::optional<HomeserverYaml> yaml;
  PresentConfig present;
  SetupPlan plan;
  bool registration_written = false;
  bool registration_rewritten = false;
  bool database_open = false;  // somebody with more rights has to act on a database
  boost::asio::io_context io{1};
};

// ---- stage 1: files ----------------------------------------------------------------------------------------------

Result<void> gather(Run& run) {
  if (!run.options.homeserver_yaml.empty()) {
    auto yaml = read_homeserver_yaml(run.options.homeserver_yaml);
    if (!yaml) return std::unexpected(yaml.error());
    run.yaml = std::move(*yaml);
    say("Read {}.", core::join(run.yaml->files, ", "));
  }
  auto present = read_present_config(run.options.config);
  if (!present) return std::unexpected(present.error());
  run.present = std::move(*present);
  auto plan = make_plan(run.options, run.present, run.yaml ? &*run.yaml : nullptr);
  if (!plan) return std::unexpected(plan.error());
  run.plan = std::move(*plan);
  for (const std::string& note : run.plan.notes) say("Note: {}.", note);
  return {};
}

// The registration as it will stand in the file. A present one that is broken is never replaced silently: Synapse may be
// running with its tokens.
Result<config::Registration> decide_registration(Run& run, std::vector<std::string>& changes) {
  auto text = read_text(run.plan.registration_path);
  if (!text && text.error().code == Code::not_found) {
    return registration_for(run.plan, nullptr, run.options, false, changes);
  }
  if (!text) return std::unexpected(text.error());
  auto present = config::parse_registration(*text);
  if (!present) {
    core::Error error = present.error();
    error.what = run.plan.registration_path + " is broken";
    error.next = "Mend it, or take it away: setup then writes a new one with new tokens";
    return std::unexpected(std::move(error));
  }
  const auto bind = run.present.values.find("appservice.bind");
  const bool bind_changed = bind != run.present.values.end() && bind->second != run.plan.bind;
  return registration_for(run.plan, &*present, run.options, bind_changed, changes);
}

// Says who can read the registration, and mends the group where we may. False: Synapse's user cannot.
bool settle_readability(const Run& run, const std::string& path) {
  const std::optional<Account> synapse = run.yaml ? synapse_account(*run.yaml) : std::nullopt;
  if (!synapse) {
    say("  It is unknown here which user Synapse runs as. That user must be able to read it, nobody else should:");
    say("    chgrp <group of Synapse> {0} && chmod 640 {0}", path);
    return true;
  }
  Readable readable = readable_by(*synapse, path);
  if (!readable.yes && readable.obstacle == path) {  // a group that the admin chose, and that works, stays
    if (auto given = give_group(path, *synapse); !given) {
      say("  {}", core::describe(given.error()));
      return false;
    }
    readable = readable_by(*synapse, path);
  }
  if (readable.yes) {
    say("  Synapse's user {} can read it ({}).", synapse->name, readable.proven ? "tried" : "by its modes");
    return true;
  }
  if (readable.obstacle == path) {
    say("  Synapse's user {0} cannot read it, and would not start. Run: chgrp {1} {2} && chmod 640 {2}", synapse->name,
        synapse->group_name, path);
  } else {
    say("  Synapse's user {0} cannot enter {1}, and would not start. Put the file elsewhere (--registration), or let it in: "
        "setfacl -m u:{0}:x {1}", synapse->name, readable.obstacle);
  }
  return false;
}

void give_to_user(const Run& run, const std::string& path) {
  if (run.options.user.empty()) return;
  const auto owner = account(run.options.user);
  if (!owner || ::chown(path.c_str(), owner->user, static_cast<gid_t>(-1)) != 0) {
    say("  Could not give {0} to {1}. Run: chown {1} {0}", path, run.options.user);
  }
}

Result<void> write_registration(Run& run, const config::Registration& registration, const std::vector<std::string>& changes) {
  const std::string& path = run.plan.registration_path;
  const bool there = std::filesystem::exists(path);
  if (there && changes.empty()) {
    say("{} stays as it is.", path);
  } else {
    auto written = write_file(path, config::render_registration(registration), 0640);
    if (!written) return written;
    run.registration_written = true;
    run.registration_rewritten = there;
    if (there) say("Wrote {} anew with the same tokens; changed: {}.", path, core::join(changes, ", "));
    if (!there) say("Wrote {} with new tokens (mode 0640).", path);
  }
  give_to_user(run, path);
  if (settle_readability(run, path)) return {};
  return core::fail(Code::not_allowed, "Synapse cannot read the registration yet", "see above", "Mend it, then run setup again");
}

Result<void> write_config(Run& run) {
  const SetupPlan& plan = run.plan;
  if (run.present.edited) {
    say("{} was edited by hand and stays as it is.", plan.config_path);
    for (const std::string& line : plan.missing) say("  It lacks  {}", line);
    return {};
  }
  const std::string text = render_config(plan);
  auto there = read_text(plan.config_path);
  if (there && *there == text) {
    say("{} stays as it is.", plan.config_path);
  } else {
    auto written = write_file(plan.config_path, text, 0600);
    if (!written) return written;
    say("Wrote {} (mode 0600).", plan.config_path);
  }
  give_to_user(run, plan.config_path);
  return {};
}

Result<void> write_files(Run& run) {
  std::vector<std::string> changes;
  auto registration = decide_registration(run, changes);
  if (!registration) return std::unexpected(registration.error());
  auto folder = make_private_folder(run.plan.state_directory);
  if (!folder) return std::unexpected(folder.error());
  if (*folder) say("Made {} (mode 0700).", run.plan.state_directory);
  give_to_user(run, run.plan.state_directory);
  if (auto written = write_config(run); !written) return written;
  if (::geteuid() == 0 && run.options.user.empty() && !run.present.exists) {
    say("  These files belong to root; give --user NAME when the bot is to run as another account.");
  }
  return write_registration(run, *registration, changes);
}

int print_files(Run& run) {
  std::vector<std::string> changes;
  auto registration = decide_registration(run, changes);
  if (!registration) return give_up(registration.error());
  say("\n---- {} (mode 0640, readable by Synapse) ----\n{}", run.plan.registration_path_in_synapse,
      config::render_registration(*registration));
  say("---- {} (mode 0600) ----\n{}", run.plan.config_path, render_config(run.plan));
  say("---- add to homeserver.yaml ----\n{}",
      registration_lines(run.yaml ? run.yaml->registrations : std::vector<std::string>(), run.plan.registration_path_in_synapse));
  say("Nothing was written. Put both files into their places (they hold secrets) and restart Synapse; then setup with the same\n"
      "flags, without --print, keeps them and goes on.");
  return finished;
}

// ---- stage 1: database -------------------------------------------------------------------------------------------

void explain_engine(const Run& run) {
  if (!run.yaml || !run.plan.database.empty()) return;
  if (run.yaml->engine == Engine::sqlite) {
    say("Database: Synapse uses SQLite, so only what its API offers can be done (no dry runs over the database, no leftovers).");
  }
  if (run.yaml->engine == Engine::split) say("Database: Synapse's tables are split over several databases.");
}

void explain_finding(Run& run, const DatabaseFinding& finding, std::string_view what) {
  run.database_open = run.database_open || !finding.connected || finding.behind_pooler || !finding.may_write;
  if (!finding.connected) {
    say("{}: no connection. {}", what, finding.problem);
    say("  For roles of the bot's own, a database superuser runs:\n{}  and setup gets --database "
        "'host=… port=5432 dbname=… user=steward password=…'.", database_statements("synapse", "steward", std::string(schema)));
    return;
  }
  say("{}: connected to {} as {}.", what, finding.database, finding.role);
  if (finding.behind_pooler) {
    say("  A pooling proxy stands between. The bot needs the server itself: its locks and settings leak through a proxy.");
  }
  if (!finding.may_write) {
    say("  {} may not make the schema {} there. A database superuser runs in psql:\n{}", finding.role, schema,
        schema_statement(finding.role, std::string(schema)));
  } else {
    say("  The bot keeps its memory there in the schema {} ({}).", schema, finding.has_schema ? "it is there" : "made at the first start");
  }
}

// A name that a person owns is found before anything is written, where the database can tell.
Result<void> check_names(const Run& run, const DatabaseFinding& finding, const std::string& appservice_id) {
  const auto owner = finding.owners.find(run.plan.chat_user().str());
  if (owner == finding.owners.end() || owner->second == appservice_id) return {};
  return core::fail(Code::conflict,
                    fmt::format("{} owns {}", owner->second.empty() ? "A person" : "The application service " + owner->second, owner->first),
                    "the bot would take over that account", "Choose another name with --localpart; nothing was written");
}

std::string present_id(const Run& run) {
  const auto text = read_text(run.plan.registration_path);
  const auto present = text ? config::parse_registration(*text) : Result<config::Registration>(core::fail(Code::not_found, ""));
  return present ? present->id : "synapse-steward";
}

Result<void> look_at_databases(Run& run) {
  explain_engine(run);
  const core::UserId sender("@_steward_as:" + run.plan.server_name);
  if (!run.plan.database.empty()) {
    auto work = look_at_database(run.io.get_executor(), run.plan.database, std::string(schema), run.plan.chat_user(), sender);
    const DatabaseFinding finding = run_to_end(run.io, std::move(work));
    if (finding.connected && !finding.has_users) say("Note: {} holds no Synapse tables (right for a server that never started).", finding.database);
    explain_finding(run, finding, "Database");
    if (finding.connected && finding.has_users && !finding.may_read) {
      run.database_open = true;
      say("  {0} may not read Synapse's tables. A database superuser runs:\n  steward setup --grants | psql --dbname='{1}' -v writer='{0}'",
          finding.role, finding.database);
    }
    if (auto names = check_names(run, finding, present_id(run)); !names) return names;
  }
  if (!run.plan.store_database.empty()) {
    auto work = look_at_database(run.io.get_executor(), run.plan.store_database, std::string(schema), run.plan.chat_user(), sender);
    explain_finding(run, run_to_end(run.io, std::move(work)), "Store");
  } else if (run.plan.database.empty()) {
    run.database_open = true;
    say("The bot needs a PostgreSQL database for its own memory (any will do, it may be empty): give --store-database.");
  }
  return {};
}

// ---- between the stages ------------------------------------------------------------------------------------------

bool named_in_homeserver_yaml(const Run& run) {
  if (!run.yaml) return false;
  for (const std::string& path : run.yaml->registrations) {
    std::error_code error;
    if (path == run.plan.registration_path_in_synapse) return true;
    if (std::filesystem::equivalent(path, run.plan.registration_path, error)) return true;
  }
  return false;
}

void explain_restart(const Run& run) {
  if (named_in_homeserver_yaml(run)) {
    say("\nStage 1 of 2 is done. homeserver.yaml names the registration already; Synapse reads it at its start only.");
  } else {
    const bool elsewhere = run.yaml && !run.yaml->registrations_file.empty();
    const bool several = run.yaml && !run.yaml->registrations.empty();
    say("\nStage 1 of 2 is done. {} {}:\n", several ? "Make app_service_config_files read so in" : "Add to",
        elsewhere ? run.yaml->registrations_file : run.yaml ? run.yaml->files.front() : "homeserver.yaml");
    say("{}", registration_lines(run.yaml ? run.yaml->registrations : std::vector<std::string>(),
                                 run.plan.registration_path_in_synapse));
  }
  if (run.plan.registration_path_in_synapse != run.plan.registration_path) {
    say("and put {} there for Synapse as {}.", run.plan.registration_path, run.plan.registration_path_in_synapse);
  }
  say("{} Synapse (for example: systemctl restart matrix-synapse) and run the same setup again.",
      named_in_homeserver_yaml(run) ? "Restart" : "Then restart");
}

// At a terminal setup waits for the restart, so that nobody has to type it twice.
boost::asio::awaitable<RegistrationState> wait_for_registration(Homeserver& homeserver) {
  constexpr int attempts = 300;
  RegistrationState state;
  for (int i = 0; i < attempts; ++i) {
    const bool slept = co_await async::sleep_for(std::chrono::seconds(2));
    state = co_await ask_registration(homeserver);
    if (!slept || state.state == Registered::yes) break;
  }
  co_return state;
}

// ---- stage 2 -----------------------------------------------------------------------------------------------------

void say_whether_reached(const Reach& reach, const std::string& config_path) {
  if (!reach.ping) {
    say("But Synapse does not reach {}: {}", reach.bot_runs ? "the bot" : "this machine", core::describe(reach.ping.error()));
  } else if (reach.bot_runs) {
    say("Synapse reaches the running bot ({} ms).", reach.ping->count());
  } else {
    say("Synapse reaches this machine with the right token. Start the bot:  steward run --config {}", config_path);
  }
}

int second_stage(Run& run, Homeserver& homeserver, const config::Config& config, AdminWays ways) {
  auto established = run_to_end(run.io, establish_identities(homeserver, config, std::move(ways)));
  if (!established) return give_up(established.error());
  say("");
  for (const std::string& line : established->lines) say("{}", line);
  if (established->needs_person) {
    say("\nStage 2 of 2 is not done: the bot has no admin right yet.");
    return needs_person;
  }
  const Reach reach = run_to_end(run.io, prove_reach(run.io.get_executor(), homeserver, config));
  say_whether_reached(reach, run.plan.config_path);
  if (run.database_open) say("\nStill open: the database, as said above. The bot does not start before that.");
  if (!run.database_open) say("\nSet-up is done{}", reach.ping ? "." : " but for that; steward check tells when it is mended.");
  return run.database_open ? needs_person : finished;
}

// Whether `files alone` is all that could be done now. A registration that homeserver.yaml names, and that was there
// before this run, should be active: then something is wrong.
int without_registration(const Run& run, const RegistrationState& state) {
  if (state.state == Registered::wrong) return give_up(state.error);
  if (run.registration_written || !named_in_homeserver_yaml(run)) {
    if (state.state == Registered::unreachable) say("\nSynapse does not answer at {} now.", run.plan.synapse_url);
    explain_restart(run);
    return finished;
  }
  core::Error error = state.error;
  if (state.state == Registered::unreachable) {
    error.next = "Start Synapse, then run setup again";
  } else {
    error = core::Error{Code::not_allowed, "Synapse does not accept the bot's token, though homeserver.yaml names the registration",
                        "it was not restarted since, it reads another copy of the file, or its ip_range_whitelist does not "
                        "admit this machine",
                        "Restart Synapse, then run setup again", state.error.source};
  }
  return give_up(error);
}

}  // namespace

int setup(const SetupOptions& options) {
  if (options.grants) {
    std::fputs(db::grants_script(schema).c_str(), stdout);
    return finished;
  }
  Run run{.options = options, .yaml = {}, .present = {}, .plan = {}};
  if (auto gathered = gather(run); !gathered) return give_up(gathered.error());
  if (options.print) return print_files(run);
  auto ways = read_admin_ways(options.admin_token_file, options.shared_secret_file, run.yaml ? &*run.yaml : nullptr);
  if (!ways) return give_up(ways.error());
  if (auto looked = look_at_databases(run); !looked) return give_up(looked.error());
  if (auto written = write_files(run); !written) return give_up(written.error());
  const auto config = config::load(run.plan.config_path);
  if (!config) return give_up(config.error());
  auto homeserver = connect_homeserver(run.io.get_executor(), *config);
  if (!homeserver) return give_up(homeserver.error());
  RegistrationState state = run_to_end(run.io, ask_registration(**homeserver));
  if (state.state == Registered::no || state.state == Registered::unreachable) {
    const int result = without_registration(run, state);
    const bool waits = result == finished && !options.no_wait && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    if (!waits) return result;
    say("\nWaiting for that restart (Ctrl-C, and setup again later, is as good) …");
    state = run_to_end(run.io, wait_for_registration(**homeserver));
  }
  if (state.state != Registered::yes) return give_up(state.error);
  if (run.registration_rewritten) {
    say("\nSynapse still has the old registration. Restart it, then run the same setup again.");
    return finished;
  }
  return second_stage(run, **homeserver, *config, std::move(*ways));
}

}  // namespace steward::app
