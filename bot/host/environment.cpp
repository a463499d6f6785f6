#include "host/environment.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/text.hpp"

namespace steward::host {

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// lib/python3.*/site-packages of an environment; empty without one.
fs::path packages_of(const fs::path& environment) {
  std::error_code error;
  for (fs::directory_iterator entry(environment / "lib", error), end; !error && entry != end; entry.increment(error))
    if (entry->path().filename().string().starts_with("python3")) return entry->path() / "site-packages";
  return {};
}

std::string version_in(const fs::path& packages) {
  constexpr std::string_view head = "matrix_synapse-", tail = ".dist-info";
  std::error_code error;
  for (fs::directory_iterator entry(packages, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(head) && name.ends_with(tail)) return name.substr(head.size(), name.size() - head.size() - tail.size());
  }
  return {};
}

std::string python_of(const fs::path& environment) {
  std::istringstream lines(read(environment / "pyvenv.cfg"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("version = ")) return line.substr(10);
  return {};
}

bool is_synapse(const std::string& command_line, const std::string& argument) {
  bool server = false, named = argument.empty();
  for (const std::string& word : core::split(command_line, '\0')) {
    server = server || word.starts_with("synapse.app.") || word.ends_with("/synapse_homeserver");
    named = named || word == argument;
  }
  return server && named;
}

}  // namespace

std::optional<int> number_of(std::string_view source, std::string_view constant) {
  std::istringstream lines{std::string(source)};
  const std::string head = std::string(constant) + " = ";
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (!inside && !line.starts_with(head)) continue;
    const std::string_view text = core::trim(std::string_view(line).substr(inside ? 0 : head.size()));
    inside = true;
    if (text.starts_with('#') || text == "(" || text.empty()) continue;
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view rest = core::trim(text.substr(static_cast<std::size_t>(end - text.data())));
    if (error != std::errc() || !(rest.empty() || rest.starts_with('#'))) return std::nullopt;
    return number;
  }
  return std::nullopt;
}

core::Result<Installed> look_into(const std::string& environment) {
  const fs::path packages = packages_of(environment);
  Installed installed;
  if (!packages.empty()) installed.version = version_in(packages);
  if (installed.version.empty()) return core::fail(core::Code::not_found, "There is no Synapse in " + environment, "expected a virtual environment with the package matrix-synapse");
  installed.python = python_of(environment);
  const std::string schema = read(packages / "synapse/storage/schema/__init__.py");
  installed.schema = number_of(schema, "SCHEMA_VERSION");
  installed.schema_compat = number_of(schema, "SCHEMA_COMPAT_VERSION");
  return installed;
}

int compare_versions(std::string_view a, std::string_view b) {
  const auto numbers = [](std::string_view text) {
    std::vector<long> found;
    for (const std::string& part : core::split(text, '.')) found.push_back(std::strtol(part.c_str(), nullptr, 10));
    found.resize(4);
    return found;
  };
  const auto left = numbers(a), right = numbers(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

std::string target_of(const std::string& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  if (error) return {};
  return (target.is_absolute() ? target : fs::path(link).parent_path() / target).lexically_normal().string();
}

core::Result<void> switch_link(const std::string& link, const std::string& target) {
  const std::string beside = link + ".new";
  std::error_code error;
  fs::remove(beside, error);
  fs::create_symlink(target, beside, error);
  if (!error) fs::rename(beside, link, error);
  if (error) return core::fail(core::Code::not_allowed, "The link " + link + " cannot be switched", error.message());
  return {};
}

std::set<pid_t> synapse_processes(const std::string& argument) {
  std::set<pid_t> found;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (is_synapse(read(entry->path() / "cmdline"), argument)) found.insert(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

std::string dump_kind(std::string_view head) {
  if (head.starts_with("PGDMP")) return "pg_dump custom format";
  if (head.starts_with("\x1f\x8b")) return "gzip";
  if (head.find("PostgreSQL database dump") != std::string_view::npos) return "plain SQL";
  return {};
}

core::Result<Dump> newest_dump(const std::string& folder) {
  std::error_code error;
  fs::path newest;
  struct stat of_newest{};
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    struct stat info{};
    if (entry->path().filename().string().starts_with('.') || stat(entry->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (!newest.empty() && info.st_mtime <= of_newest.st_mtime) continue;
    newest = entry->path();
    of_newest = info;
  }
  if (error) return core::fail(core::Code::not_allowed, "The folder " + folder + " cannot be read", error.message());
  if (newest.empty()) return core::fail(core::Code::not_found, "There is no dump in " + folder);
  std::ifstream file(newest, std::ios::binary);
  std::string head(512, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return Dump{newest.filename().string(), dump_kind(head), core::Bytes{of_newest.st_size}, std::chrono::seconds(std::time(nullptr) - of_newest.st_mtime)};
}

}  // namespace steward::host
