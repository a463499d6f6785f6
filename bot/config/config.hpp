// The one table of settings: parse, validate, print the manual. Read by app only; libraries get option structs.
// Errors name the key, the line, what is expected and the nearest known key. Start-up and SIGHUP only, I/O thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/secret.hpp"

namespace steward::config {

enum class Type { text, secret, integer, number, boolean, duration, size, list, path, url, choice };

// One row of the table; `reload` says whether SIGHUP may change it.
struct Setting {
  std::string_view key;  // dotted: "homeserver.url"
  Type type;
  std::string_view default_value;  // "" and required=false: absent
  bool required;
  bool reload;
  std::string_view text;  // what it does, one or two sentences
  std::string_view choices = {};  // "info|debug" for Type::choice
};
const std::vector<Setting>& settings();

// The values, typed where they are used. Secrets may come as `key`, `key_file` (refused when readable by group or others)
// or from the environment variable STEWARD_<KEY> with dots as underscores.
struct Config {
  std::string path;
  struct Homeserver {
    std::string url;
    std::string media_url;    // empty: as url
    std::string server_name;
    std::string ca_file;
  } homeserver;
  struct Appservice {
    std::string registration;  // path of registration.yaml; tokens are read from it
    std::string id;
    std::string bind_address;
    std::uint16_t bind_port = 0;
    core::Secret as_token;
    core::Secret hs_token;
    std::string sender_localpart;
    bool legacy_query_token = false;
  } appservice;
  core::Secret admin_token;  // empty: the as_token administers
  struct Database {
    core::Secret synapse;  // connection string of Synapse's database; empty: no SQL, API commands only
    core::Secret reader;   // the same database as a role that runs reports only; empty: as synapse
    core::Secret store;    // the bot's own schema; empty: as synapse
    std::string schema = "steward";
  } database;
  struct Bot {
    std::string localpart;  // chat user
    std::string display_name;
    std::string state_directory;
    std::string socket;  // control socket of `steward exec`; default <state_directory>/control.sock
  } bot;
  struct Host {
    std::string socket;  // of steward-host; empty: no host actions
  } host;
  struct Room {
    std::string id;  // empty: the room the bot made (store)
    std::vector<core::UserId> admins;
    std::vector<core::UserId> remote_allowed;
    std::string time_zone;
  } room;
  struct Safety {
    int max_level = 4;
    bool second_admin = false;
    double share = 0.1;  // limits.share
  } safety;
  struct Rooms {
    std::vector<std::string> keep;  // never cleaned
    int in_flight = 3;
    int large = 10'000;  // events
  } rooms;
  struct Media {
    std::string path;  // Synapse's media_store_path; empty: not told
  } media;
  struct Repack {
    std::string program;    // empty: where PostgreSQL's packages put it
    core::Secret database;  // a superuser's; empty: as database.synapse
  } repack;
  struct Keep {
    std::int64_t inbox_days = 30, item_days = 90, audit_days = 400, file_days = 7;
  } keep;
  struct Alerts {
    std::int64_t interval = 60;          // seconds between two looks
    std::vector<std::string> fallback;   // a webhook's URL, or a program with its arguments; empty: none
  } alerts;
  struct Metrics {
    std::string address;  // empty: no listener
    std::uint16_t port = 0;
    core::Secret token;  // needed on any other address than the loopback
  } metrics;
  std::string log_level;
};

// not_found: no such file; bad_input: anything wrong in it (all problems listed, one a line); not_allowed: a secret file
// is readable by others.
core::Result<Config> load(const std::string& path);
// Parses text as `load` does; `base` is the folder that relative paths start from. For tests and setup.
core::Result<Config> parse(std::string_view yaml, const std::string& base, const std::map<std::string, std::string>& environment);

// Of `alerts.fallback`: "https://…" is a webhook, else it is a program.
bool is_web_address(std::string_view word);

// Keys that differ between two configs: first those that a reload applies, second those that need a restart.
struct Difference {
  std::vector<std::string> applied, needs_restart;
};
Difference compare(const Config& before, const Config& after);

std::string manual();        // Markdown reference of all settings, generated from the table
std::string example_yaml();  // steward.example.yaml, generated from the table

}  // namespace steward::config
