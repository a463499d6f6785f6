// The running bot and the one command from the terminal, as main calls them. Both make their own I/O loop and return the
// exit code of the process.
#pragma once

#include <string>

namespace steward::app {

// `steward run`: until SIGTERM or SIGINT.
int run(const std::string& config_path);
// `steward exec`: through the running bot's socket, or alone when none runs. `yes` confirms a plan that `line` makes.
int exec(const std::string& config_path, const std::string& line, bool yes, bool json);

}  // namespace steward::app
