#include "app/setup_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace steward::app {

namespace fs = std::filesystem;
using core::Code;

namespace {

core::Error system_error(const std::string& what, int number, std::string next = {}) {
  const Code code = number == ENOENT ? Code::not_found : number == EACCES || number == EPERM ? Code::not_allowed : Code::rejected;
  return core::Error{code, what, std::strerror(number), std::move(next), {}};
}

std::optional<Account> account_of(uid_t user) {
  const passwd* entry = ::getpwuid(user);  // setup is single-threaded
  if (entry == nullptr) return std::nullopt;
  return account(entry->pw_name);
}

std::vector<gid_t> groups_of(const Account& account) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(account.name.c_str(), account.group, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    ::getgrouplist(account.name.c_str(), account.group, groups.data(), &count);
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

// Which of the three permission bits (4 read, 1 enter) the modes give this account.
bool mode_allows(const struct stat& status, const Account& account, const std::vector<gid_t>& groups, mode_t bit) {
  if (account.user == 0) return true;
  if (status.st_uid == account.user) return (status.st_mode & (bit << 6)) != 0;
  if (std::find(groups.begin(), groups.end(), status.st_gid) != groups.end()) return (status.st_mode & (bit << 3)) != 0;
  return (status.st_mode & bit) != 0;
}

// The first folder or the file that denies it; empty when none does.
std::string obstacle_for(const Account& account, const std::string& path) {
  const std::vector<gid_t> groups = groups_of(account);
  fs::path walked = "/";
  for (const fs::path& part : fs::path(path).parent_path().relative_path()) {
    walked /= part;
    struct stat status {};
    if (::stat(walked.c_str(), &status) != 0 || !mode_allows(status, account, groups, 1)) return walked.string();
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !mode_allows(status, account, groups, 4)) return path;
  return {};
}

// Opens the file as that user in a child of ours; nothing else of this process changes.
bool opens_as(const Account& account, const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::initgroups(account.name.c_str(), account.group) != 0 || ::setgid(account.group) != 0 ||
        ::setuid(account.user) != 0) {
      ::_exit(2);
    }
    ::_exit(::open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool write_all(int file, const std::string& content) {
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t count = ::write(file, content.data() + written, content.size() - written);
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  return ::fsync(file) == 0;
}

// A file that is replaced keeps its owner and group, so that a second run by root takes it from nobody.
void keep_owner(int file, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  if (::fchown(file, status.st_uid, status.st_gid) != 0) {
    [[maybe_unused]] const int group_only = ::fchown(file, static_cast<uid_t>(-1), status.st_gid);
  }
}

}  // namespace

std::optional<Account> account(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return std::nullopt;
  Account result{entry->pw_name, entry->pw_uid, entry->pw_gid, {}};
  const group* primary = ::getgrgid(result.group);
  result.group_name = primary == nullptr ? std::to_string(result.group) : primary->gr_name;
  return result;
}

std::optional<Account> synapse_account(const HomeserverYaml& yaml) {
  std::vector<std::string> evidence = {yaml.media_store, yaml.signing_key};
  if (!yaml.files.empty()) evidence.push_back(yaml.files.front());
  for (const std::string& path : evidence) {
    struct stat status {};
    if (!path.empty() && ::stat(path.c_str(), &status) == 0) return account_of(status.st_uid);
  }
  return std::nullopt;
}

core::Result<void> write_file(const std::string& path, const std::string& content, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());  // 0600 from the start
  if (file < 0) {
    return core::fail(system_error("Cannot write " + path, errno, "Choose a folder that this user may write"));
  }
  keep_owner(file, path);
  const bool written = ::fchmod(file, mode) == 0 && write_all(file, content);
  int reason = errno;
  ::close(file);
  if (written && ::rename(temporary.c_str(), path.c_str()) == 0) return {};
  if (written) reason = errno;
  ::unlink(temporary.c_str());
  return core::fail(system_error("Cannot write " + path, reason, "Choose a folder that this user may write"));
}

core::Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return core::fail(system_error("Cannot read " + path, errno, "Check the path and who may read it"));
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

Readable readable_by(const Account& account, const std::string& path) {
  Readable result;
  result.obstacle = obstacle_for(account, path);
  result.yes = result.obstacle.empty();
  if (::geteuid() == 0) {
    result.proven = true;
    result.yes = opens_as(account, path);
    if (!result.yes && result.obstacle.empty()) result.obstacle = path;
  } else if (::geteuid() == account.user) {
    result.proven = true;
    result.yes = ::access(path.c_str(), R_OK) == 0;
  }
  return result;
}

core::Result<void> give_group(const std::string& path, const Account& account) {
  if (::chown(path.c_str(), static_cast<uid_t>(-1), account.group) == 0) return {};
  return core::fail(system_error("Cannot give " + path + " to the group " + account.group_name, errno,
                                 fmt::format("Run: sudo chgrp {0} {1} && sudo chmod 640 {1}", account.group_name, path)));
}

core::Result<bool> make_private_folder(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) {
      return core::fail(Code::not_allowed, "Others can enter the state directory " + path,
                        fmt::format("its mode is {:o}", status.st_mode & 0777), "Run: chmod 700 " + path);
    }
    return false;
  }
  const fs::path parent = fs::path(path).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) return core::fail(system_error("Cannot make the folder " + parent.string(), error.value()));
  if (::mkdir(path.c_str(), 0700) != 0) return core::fail(system_error("Cannot make the folder " + path, errno));
  return true;
}

}  // namespace steward::app
