// `steward rotate-tokens` and `steward remove`: the ways back out of set-up.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "app/setup.hpp"
#include "app/setup_files.hpp"
#include "app/setup_homeserver.hpp"
#include "app/setup_identity.hpp"
#include "app/setup_secrets.hpp"
#include "app/setup_terminal.hpp"
#include "config/registration.hpp"
#include "core/text.hpp"
#include "db/session.hpp"
#include "db/store.hpp"

namespace steward::app {

using boost::asio::awaitable;
using core::Code;
using core::Result;

namespace {

constexpr auto whole_audit = std::chrono::hours(24 * 365 * 50);
constexpr int most_audit_rows = 1'000'000;

// Only a sender whose right this bot gained: with an admin_token of another user there is nothing to take.
awaitable<Result<bool>> demote(Homeserver& homeserver, core::Secret token, std::string appservice_id) {
  synapse::AdminClient admin = homeserver.as(std::move(token));
  const auto info = co_await admin.user(homeserver.sender);
  if (!info) co_return std::unexpected(info.error());
  if (!info->has_value() || !(*info)->admin || (*info)->appservice_id != appservice_id) co_return false;
  const auto done = co_await admin.set_admin(homeserver.sender, false);
  if (!done) co_return std::unexpected(done.error());
  co_return true;
}

awaitable<Result<bool>> give_right_back(Homeserver& homeserver, std::string appservice_id, AdminWays ways) {
  auto found = co_await find_administrator(homeserver, std::move(ways));
  if (!found) co_return std::unexpected(found.error());
  auto demoted = co_await demote(homeserver, found->token, std::move(appservice_id));
  auto dismissed = co_await dismiss(homeserver, std::move(*found));
  if (!demoted) co_return demoted;
  if (!dismissed) co_return std::unexpected(dismissed.error());
  co_return demoted;
}

std::string audit_csv(const std::vector<db::AuditRow>& rows) {
  std::string text = "id,at,actor,role,event,command,outcome,confirmed by,job\n";
  for (const db::AuditRow& row : rows) {
    std::vector<std::string> cells = {std::to_string(row.id), row.at, row.actor, row.role, row.event_id, row.line, row.outcome,
                                      row.confirmed_by, std::to_string(row.job)};
    for (std::string& cell : cells) cell = core::csv_cell(cell);
    text += core::join(cells, ",") + "\n";
  }
  return text;
}

// The rows of the audit; none where the bot never ran.
awaitable<Result<std::vector<db::AuditRow>>> read_audit(boost::asio::any_io_executor io, config::Config config) {
  db::SessionOptions options;
  options.name = "remove";
  options.connection = config.database.store.empty() ? config.database.synapse : config.database.store;
  options.search_path = config.database.schema;
  options.read_only = true;
  db::Session session(io, std::move(options));
  const auto there = co_await session.query("SELECT to_regclass('audit') IS NOT NULL AS there");
  if (!there) co_return std::unexpected(there.error());
  if (!there->front().boolean("there")) co_return std::vector<db::AuditRow>();
  db::AuditStore audit(session);
  co_return co_await audit.list(std::nullopt, whole_audit, most_audit_rows);
}

Result<void> keep_audit(boost::asio::io_context& io, const RemoveOptions& options, const config::Config& config) {
  if (config.database.store.empty() && config.database.synapse.empty()) return {};
  auto rows = run_to_end(io, read_audit(io.get_executor(), config));
  if (!rows) return std::unexpected(rows.error());
  const std::filesystem::path beside = std::filesystem::path(options.config).parent_path() / "steward-audit.csv";
  const std::string path = options.audit_file.empty() ? beside.string() : options.audit_file;
  if (auto written = write_file(path, audit_csv(*rows), 0600); !written) return written;
  say("The audit is kept in {} ({}).", path, core::plural(static_cast<long long>(rows->size()), "row", "rows"));
  return {};
}

void say_what_is_left(const RemoveOptions& options, const config::Config& config, const core::UserId& chat, const core::UserId& sender) {
  say("\nTake out by hand, in this order:");
  say("  1. stop the bot and remove its service");
  say("  2. remove {} from app_service_config_files in homeserver.yaml, restart Synapse", config.appservice.registration);
  say("  3. in the database that holds the bot's memory:  DROP SCHEMA \"{}\" CASCADE;", config.database.schema);
  say("  4. delete {}, {} and {}", options.config, config.appservice.registration, config.bot.state_directory);
  say("{} and {} stay as users without rights; after step 2 an admin can deactivate them.", chat.str(), sender.str());
}

Result<AdminWays> ways_of(const RemoveOptions& options) {
  std::optional<HomeserverYaml> yaml;
  if (!options.homeserver_yaml.empty()) {
    auto read = read_homeserver_yaml(options.homeserver_yaml);
    if (!read) return std::unexpected(read.error());
    yaml = std::move(*read);
  }
  return read_admin_ways(options.admin_token_file, options.shared_secret_file, yaml ? &*yaml : nullptr);
}

int without_way(const config::Config& config, const core::UserId& sender) {
  say("{} is still a server admin: an admin cannot take this right from itself. Nothing else was done.", sender.str());
  say("Run remove again with --admin-token-file FILE (the access token of another server admin), or with --homeserver-yaml PATH");
  say("or --shared-secret-file FILE (registration_shared_secret). Or a server admin runs, with that token in TOKEN:");
  for (const std::string& line : admin_instructions(config, sender, false)) {
    if (const std::size_t at = line.find("{\"admin\": true}"); at != std::string::npos) {
      say("{}", line.substr(0, at) + "{\"admin\": false}" + line.substr(at + 15));
    }
  }
  return needs_person;
}

}  // namespace

int rotate_tokens(const std::string& config_path) {
  const auto config = config::load(config_path);
  if (!config) return give_up(config.error());
  const std::string& path = config->appservice.registration;
  const auto text = read_text(path);
  if (!text) return give_up(text.error());
  auto registration = config::parse_registration(*text);
  if (!registration) return give_up(registration.error());
  const config::Registration fresh = config::new_registration(config->bot.localpart, config->homeserver.server_name, "");
  registration->as_token = fresh.as_token;
  registration->hs_token = fresh.hs_token;
  if (auto written = write_file(path, config::render_registration(*registration), 0640); !written) return give_up(written.error());
  say("Wrote new tokens into {}. The old ones work until both sides start again:", path);
  say("  1. stop the bot   2. restart Synapse   3. start the bot   4. steward check --config {}", config_path);
  say("If Synapse reads a copy of that file, copy it first.");
  return finished;
}

int remove(const RemoveOptions& options) {
  const auto config = config::load(options.config);
  if (!config) return give_up(config.error());
  auto ways = ways_of(options);
  if (!ways) return give_up(ways.error());
  boost::asio::io_context io(1);
  auto homeserver = connect_homeserver(io.get_executor(), *config);
  if (!homeserver) return give_up(homeserver.error());
  const core::UserId sender = (*homeserver)->sender;
  auto back = run_to_end(io, give_right_back(**homeserver, config->appservice.id, std::move(*ways)));
  if (!back && back.error().code == Code::not_found && config->admin_token.empty()) return without_way(*config, sender);
  if (!back && back.error().code != Code::not_found) return give_up(back.error());
  say("{} {}", sender.str(), back && *back ? "is no server admin any more." : "was no server admin.");
  if (auto kept = keep_audit(io, options, *config); !kept) return give_up(kept.error());
  say_what_is_left(options, *config, (*homeserver)->chat, sender);
  return finished;
}

}  // namespace steward::app
