// host.yaml, the file of the second program: who may ask, and for each action the exact argument vector. It must belong to root (or to
// the account that runs the program) and nobody else may write it. Read once at the start; the bot never sees it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "host/request.hpp"

namespace steward::host {

using Words = std::vector<std::string>;  // a program by its path, and its arguments

struct Settings {
  std::string socket;
  std::string log;    // appended to; the program's own, beside what the service manager keeps
  std::string state;  // folder: when Synapse was stopped last, until when it may stay so
  uid_t allowed = 0;  // the only account that may ask
  std::string synapse_url;
  std::string process;  // an argument that Synapse's processes have and no others, like the path of homeserver.yaml
  std::map<Verb, Words> actions;
  std::vector<std::pair<std::string, std::string>> environment;  // of the actions: all of it
  std::string dumps;  // folder of database dumps; empty: not known
  std::chrono::seconds stop_every = std::chrono::minutes(10);
  std::chrono::seconds window = std::chrono::hours(2);       // then Synapse is started, whatever the bot does
  std::chrono::seconds start_limit = std::chrono::minutes(2);  // for a sign of life: a process or an answer
  std::string link;          // the service starts Synapse through this symbolic link to an environment
  std::string environments;  // folder in which new ones are built
  Words create, install;     // {environment} and {version} are replaced
  Words check;               // the same; empty: the new release does not look at the configuration before the stop

  const Words* action(Verb verb) const;  // nullptr: not configured
  bool can_upgrade() const { return !link.empty(); }
};

// Everything wrong in the text, one a line; relative paths and unknown keys are wrong.
core::Result<Settings> parse_settings(std::string_view yaml);
core::Result<Settings> read_settings(const std::string& path);

}  // namespace steward::host
