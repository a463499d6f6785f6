// What setup and check take from Synapse's own configuration: names, listeners, database, secrets, registrations.
// Read the way Synapse reads it (config/_base.py: several files and folders, merged key by key, the later wins); nothing
// of it is ever printed but what is not secret. Used by setup and check, blocking file reads, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace steward::app {

enum class Engine { none, postgresql, sqlite, split };  // split: `databases` with the state tables somewhere else

struct HomeserverYaml {
  std::vector<std::string> files;  // what was read, in order
  std::string server_name;
  // Where the client resource is served on this machine, best first: plain HTTP on a port, a unix socket, TLS. In the
  // form that http::ClientOptions takes. Empty: no listener serves it.
  std::vector<std::string> client_urls;
  Engine engine = Engine::none;
  core::Secret database;           // libpq connection string made of psycopg2's arguments; empty unless PostgreSQL
  core::Secret shared_secret;      // registration_shared_secret, or the content of the file that holds it
  std::string shared_secret_problem;  // why the file could not be read
  bool mas = false;                // users live in the Matrix Authentication Service
  std::vector<std::string> registrations;  // app_service_config_files as written, made absolute
  std::string registrations_file;  // the file whose app_service_config_files counts; empty: none has it
  std::string signing_key;         // absolute paths; they show which user Synapse runs as
  std::string media_store;
};

// Reads files, and of folders every *.yaml in sorted order. One file alone also takes the `conf.d` beside it, as the
// Debian package starts Synapse. not_found: a path does not exist; not_allowed: it cannot be read; bad_input: not YAML.
core::Result<HomeserverYaml> read_homeserver_yaml(const std::vector<std::string>& paths);

// key='value' pairs for libpq, with quotes and backslashes escaped; pairs with an empty value are left out.
std::string connection_string(const std::vector<std::pair<std::string, std::string>>& arguments);

// The first `app_service_config_files` to write: what stands there, with `path` at its end.
std::string registration_lines(const std::vector<std::string>& present, const std::string& path);

// A double-quoted YAML scalar.
std::string yaml_quoted(std::string_view text);

}  // namespace steward::app
