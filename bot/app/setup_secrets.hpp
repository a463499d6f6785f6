// The secrets that may lend setup and remove an admin's right, from files and from homeserver.yaml. Blocking reads.
#pragma once

#include <string>

#include "app/homeserver_yaml.hpp"
#include "app/setup_identity.hpp"
#include "core/error.hpp"

namespace steward::app {

// Empty paths are skipped; `yaml` (may be null) gives the shared secret unless a file does. Says on stdout what is odd
// about a file, and what could not be read of homeserver.yaml. Everything found is hidden from all later output.
core::Result<AdminWays> read_admin_ways(const std::string& admin_token_file, const std::string& shared_secret_file,
                                        const HomeserverYaml* yaml);

}  // namespace steward::app
