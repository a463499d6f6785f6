// What setup is going to write, decided from the flags, the steward.yaml that may be there already, and homeserver.yaml,
// in this order; and the text of steward.yaml. No I/O but reading the present steward.yaml. Used by setup.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/homeserver_yaml.hpp"
#include "app/setup.hpp"
#include "config/registration.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/secret.hpp"

namespace steward::app {

// A steward.yaml as it stands: dotted keys of its scalars, and the admins.
struct PresentConfig {
  bool exists = false;
  bool edited = false;  // by hand since setup wrote it: then it is never written again
  std::map<std::string, std::string> values;
  std::vector<std::string> admins;
};
// bad_input when it is not YAML. A file that is not there is no error.
core::Result<PresentConfig> read_present_config(const std::string& path);

struct SetupPlan {
  std::string config_path, registration_path, registration_path_in_synapse, state_directory;  // absolute
  std::string server_name, synapse_url, bind, bot_url, localpart, ca_file, admin_token_file;
  core::Secret database, store_database;
  std::vector<std::string> admins, allow_from;
  std::vector<std::string> notes;    // worth saying: what could not be applied, what was guessed
  std::vector<std::string> missing;  // lines a hand-edited steward.yaml lacks
  core::UserId chat_user() const { return core::UserId("@" + localpart + ":" + server_name); }
};
// bad_input names the flag that is missing or wrong, all of them, one a line. `yaml` may be null.
core::Result<SetupPlan> make_plan(const SetupOptions& options, const PresentConfig& present, const HomeserverYaml* yaml);

// steward.yaml with a checksum in its head, by which the next run sees whether a person edited it.
std::string render_config(const SetupPlan& plan);
bool edited_by_hand(const std::string& text);

// The registration to write: `present` with what the plan changes (its tokens stay), or a new one.
// `changes` names what differs from `present`; empty: leave the file alone.
config::Registration registration_for(const SetupPlan& plan, const config::Registration* present,
                                      const SetupOptions& options, bool bind_changed, std::vector<std::string>& changes);

// The addresses from which the as_token is accepted when Synapse is reached at `url`: loopback only for a loopback URL or
// a unix socket, none (no limit) otherwise.
std::vector<std::string> loopback_ranges(const std::string& url);

}  // namespace steward::app
