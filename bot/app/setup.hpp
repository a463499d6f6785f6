// `steward setup`, `rotate-tokens` and `remove`: from a homeserver.yaml (or flags alone) to a bot that may administer, and
// back. Re-runnable; each call says on stdout what it did and what a person must do next. Used by main only.
#pragma once

#include <string>
#include <vector>

namespace steward::app {

struct SetupOptions {
  std::vector<std::string> homeserver_yaml;  // files or folders; empty: flags alone
  std::string config = "steward.yaml";
  std::string registration;                  // empty: registration.yaml beside the config
  std::string registration_path_in_synapse;  // where Synapse sees that file; empty: the same path
  std::vector<std::string> admins;
  std::string synapse_url, bot_url, bind, server_name, localpart, state_directory, ca_file;
  std::string database, store_database;      // libpq connection strings
  std::vector<std::string> allow_from;       // addresses that may use the as_token (ip_range_whitelist)
  std::string shared_secret_file, admin_token_file;
  std::string user;                          // account that will run the bot; gets the files when root runs this
  bool no_database = false;
  bool print = false;
  bool grants = false;  // only prints the roles and their rights, for psql
  bool no_wait = false;
};

// Exit codes of the three below.
inline constexpr int finished = 0;      // the stage is done
inline constexpr int failed = 1;        // something is wrong; what and how to mend it was said
inline constexpr int needs_person = 3;  // all is right, but somebody with more rights must act

// Stage 1 writes steward.yaml and registration.yaml and says what to add to homeserver.yaml. Stage 2, once Synapse knows
// the registration, registers both users and makes the sender a server admin.
int setup(const SetupOptions& options);

// New tokens in registration.yaml; both sides read them at their next start.
int rotate_tokens(const std::string& config);

struct RemoveOptions {
  std::string config = "steward.yaml";
  std::vector<std::string> homeserver_yaml;
  std::string shared_secret_file, admin_token_file;
  std::string audit_file;  // empty: steward-audit.csv beside the config
};
// Takes the admin right from the sender first, writes the audit to a file, then says what to take out by hand.
int remove(const RemoveOptions& options);

}  // namespace steward::app
