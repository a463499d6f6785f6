#include "config/config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "config/parse.hpp"
#include "config/table.hpp"
#include "core/text.hpp"

namespace steward::config {
namespace {

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto mark = text.find('=');
    if (text.starts_with("STEWARD_") && mark != std::string_view::npos) {
      variables.emplace(text.substr(0, mark), text.substr(mark + 1));
    }
  }
  return variables;
}

core::Result<Config> result_of(Parsed parsed, const std::string& name) {
  std::vector<std::string> all = parsed.problems;
  all.insert(all.end(), parsed.exposed.begin(), parsed.exposed.end());
  if (all.empty()) return std::move(parsed.config);
  const auto code = parsed.problems.empty() ? core::Code::not_allowed : core::Code::bad_input;
  return core::fail(
      code, fmt::format("{} has {}", name, core::plural(static_cast<long long>(all.size()), "problem", "problems")),
      core::join(all, "\n"));
}

}  // namespace

core::Result<Config> load(const std::string& path) {
  auto text = read_file(path);
  if (!text) {
    core::Error error = text.error();
    if (error.code == core::Code::not_found) error.next = "Run `steward setup`, or name the file with --config.";
    return core::fail(std::move(error));
  }
  std::error_code ignored;
  const auto full = std::filesystem::absolute(path, ignored);
  Parsed parsed = read_config(*text, full.parent_path().string(), own_environment());
  if (parsed.inline_secret) {
    if (auto exposed = check_readers(path, Readers::owner_and_group); !exposed.empty())
      parsed.exposed.push_back(std::move(exposed));
  }
  parsed.config.path = full.string();
  return result_of(std::move(parsed), path);
}

core::Result<Config> parse(std::string_view yaml, const std::string& base,
                           const std::map<std::string, std::string>& environment) {
  return result_of(read_config(yaml, base, environment), "the configuration");
}

Difference compare(const Config& before, const Config& after) {
  Difference difference;
  for (const Row& row : rows()) {
    if (row.show(before) == row.show(after)) continue;
    auto& keys = row.setting.reload ? difference.applied : difference.needs_restart;
    keys.emplace_back(row.setting.key);
  }
  return difference;
}

}  // namespace steward::config
