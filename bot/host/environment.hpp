// What lies on the disk and runs on the machine: which Synapse an environment holds, which schema it speaks, the link that is switched,
// Synapse's processes, the newest dump. Read from files, nothing of Synapse is run. Used by actions and upgrade. I/O thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/units.hpp"

namespace steward::host {

struct Installed {
  std::string version;
  std::string python;                         // "3.11.2", "" where pyvenv.cfg does not say
  std::optional<int> schema, schema_compat;   // nullopt: could not be read
};
// not_found: no virtual environment with a Synapse in it.
core::Result<Installed> look_into(const std::string& environment);
// "SCHEMA_VERSION = 94", "SCHEMA_COMPAT_VERSION = (… 84 )" of synapse/storage/schema/__init__.py.
std::optional<int> number_of(std::string_view source, std::string_view constant);
// Compares versions by their numbers: negative, zero, positive.
int compare_versions(std::string_view a, std::string_view b);

// The folder the link points at; empty: it is no link.
std::string target_of(const std::string& link);
// In one step: there is always a link.
core::Result<void> switch_link(const std::string& link, const std::string& target);

// Processes of Synapse: an argument "synapse.app.…" or a program synapse_homeserver, and `argument` when it is not empty.
std::set<pid_t> synapse_processes(const std::string& argument);

struct Dump {
  std::string name, kind;  // "pg_dump custom format", "plain SQL", "gzip"; "" for an unknown head
  core::Bytes size;
  std::chrono::seconds age{};
};
// not_found: no file in the folder. Looks at its files only, not below; names that start with a dot are under way.
core::Result<Dump> newest_dump(const std::string& folder);
// By the first bytes.
std::string dump_kind(std::string_view head);

}  // namespace steward::host
