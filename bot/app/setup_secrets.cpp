#include "app/setup_secrets.hpp"

#include <sys/stat.h>

#include <utility>

#include "app/setup_files.hpp"
#include "app/setup_terminal.hpp"
#include "core/text.hpp"

namespace steward::app {

using core::Code;
using core::Result;

namespace {

Result<core::Secret> secret_file(const std::string& path) {
  if (path.empty()) return core::Secret();
  auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) say("Note: others can read {0}. Run: chmod 600 {0}", path);
  core::Secret secret{std::string(core::trim(*text))};
  if (secret.empty()) return core::fail(Code::bad_input, path + " is empty", {}, "Put the secret into it, alone");
  return secret;
}

}  // namespace

Result<AdminWays> read_admin_ways(const std::string& admin_token_file, const std::string& shared_secret_file,
                                  const HomeserverYaml* yaml) {
  AdminWays ways;
  auto token = secret_file(admin_token_file);
  if (!token) return std::unexpected(token.error());
  auto secret = secret_file(shared_secret_file);
  if (!secret) return std::unexpected(secret.error());
  ways.admin_token = std::move(*token);
  ways.shared_secret = std::move(*secret);
  if (ways.shared_secret.empty() && yaml != nullptr) {
    ways.shared_secret = yaml->shared_secret;
    if (!yaml->shared_secret_problem.empty()) say("Note: {}", yaml->shared_secret_problem);
  }
  if (!ways.admin_token.empty()) core::remember_secret(ways.admin_token);
  if (!ways.shared_secret.empty()) core::remember_secret(ways.shared_secret);
  return ways;
}

}  // namespace steward::app
