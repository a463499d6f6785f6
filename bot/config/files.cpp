// Reading the few files of the configuration, and who else may read them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "config/parse.hpp"

namespace steward::config {
namespace {

constexpr std::streamsize longest_file = 1 << 20;

}  // namespace

core::Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return core::fail(core::Code::not_found, fmt::format("there is no file {}", path));
  }
  if (status.type() == std::filesystem::file_type::directory) {
    return core::fail(core::Code::bad_input, fmt::format("{} is a folder, expected a file", path));
  }
  std::ifstream file(path, std::ios::binary);
  if (error || !file)
    return core::fail(core::Code::not_allowed, fmt::format("cannot read {}", path), "no right to read it");
  std::string text(static_cast<std::size_t>(longest_file) + 1, '\0');
  file.read(text.data(), longest_file + 1);
  if (file.bad()) return core::fail(core::Code::unavailable, fmt::format("cannot read {}", path), "the disk refused");
  if (file.gcount() > longest_file)
    return core::fail(core::Code::bad_input, fmt::format("{} is larger than 1 MiB", path));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::string check_readers(const std::string& path, Readers allowed) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return {};
  const bool group_may_not = allowed == Readers::owner;
  const mode_t forbidden = group_may_not ? S_IRGRP | S_IROTH : S_IROTH;
  if ((info.st_mode & forbidden) == 0) return {};
  return fmt::format("{} holds a secret and {} can read it; run: chmod {} {}", path,
                     (info.st_mode & S_IROTH) != 0 ? "everybody on this host" : "its group",
                     group_may_not ? "600" : "640", path);
}

}  // namespace steward::config
