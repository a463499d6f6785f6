// The files that setup writes and what the system says about them: modes, groups, and the proof that Synapse's user can
// read the registration (an unreadable one stops the homeserver at its next start). Used by setup and check, blocking.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "app/homeserver_yaml.hpp"
#include "core/error.hpp"

namespace steward::app {

struct Account {
  std::string name;
  uid_t user = 0;
  gid_t group = 0;
  std::string group_name;
};
std::optional<Account> account(const std::string& name);

// The user that Synapse runs as, told by what it owns: media store, signing key, then homeserver.yaml itself.
// nullopt when none of them is there, or its owner has no name here (a container's user).
std::optional<Account> synapse_account(const HomeserverYaml& yaml);

// Writes the whole file or nothing: a temporary file beside it, mode first, then content, synced, renamed over.
core::Result<void> write_file(const std::string& path, const std::string& content, mode_t mode);
core::Result<std::string> read_text(const std::string& path);

// Whether the account can open the file, by trying as that user where we are root, else by the modes of the file and all
// folders above it. `obstacle`: the first path that denies it.
struct Readable {
  bool yes = false;
  bool proven = false;  // tried as that user, not only computed
  std::string obstacle;
};
Readable readable_by(const Account& account, const std::string& path);

// Sets the group of the file. Needs root or membership; not_allowed says the chgrp and chmod to run.
core::Result<void> give_group(const std::string& path, const Account& account);

// Makes the folder with mode 0700, or checks the one that is there: not_allowed when others can enter it.
core::Result<bool> make_private_folder(const std::string& path);  // true: it was made now

}  // namespace steward::app
