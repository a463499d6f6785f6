#include "commands/media_folder.hpp"

#include <algorithm>

namespace steward::commands {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t date_length = 10;  // "2026-11-30"

bool is_date(std::string_view text) {
  constexpr std::string_view form = "dddd-dd-dd";
  if (text.size() < form.size()) return false;
  for (std::size_t index = 0; index < form.size(); ++index) {
    const bool digit = text[index] >= '0' && text[index] <= '9';
    if (form[index] == 'd' ? !digit : text[index] != '-') return false;
  }
  return true;
}

// One part of a path, and no more.
bool is_name(std::string_view text) { return !text.empty() && text != "." && text != ".." && text.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos; }

std::optional<fs::path> spread(fs::path base, std::string_view id) {
  if (id.size() < 5) return std::nullopt;
  const std::string_view parts[] = {id.substr(0, 2), id.substr(2, 2), id.substr(4)};
  for (const std::string_view part : parts) {
    if (!is_name(part)) return std::nullopt;
    base /= part;
  }
  return base;
}

}  // namespace

std::optional<fs::path> file_of(std::string_view origin, std::string_view file_id, bool preview) {
  if (!origin.empty()) return is_name(origin) ? spread(fs::path("remote_content") / origin, file_id) : std::nullopt;
  if (!preview) return spread("local_content", file_id);
  if (!is_date(file_id)) return spread("url_cache", file_id);
  if (file_id.size() <= date_length + 1 || !is_name(file_id.substr(date_length + 1))) return std::nullopt;
  return fs::path("url_cache") / file_id.substr(0, date_length) / file_id.substr(date_length + 1);
}

MediaWalk::MediaWalk(fs::path folder, std::chrono::seconds least_age)
    : folder_(std::move(folder)), newest_(fs::file_time_type::clock::now() - least_age), parts_{"remote_content", "url_cache", "local_content"} {}

std::optional<FoundFile> MediaWalk::judge(const fs::directory_entry& entry) {
  std::error_code error;
  if (!entry.is_regular_file(error) || error) return std::nullopt;
  ++seen_;
  const auto written = entry.last_write_time(error);
  if (error || written > newest_) return std::nullopt;
  FoundFile file;
  file.bytes = static_cast<std::int64_t>(entry.file_size(error));
  file.path = entry.path().lexically_relative(folder_);
  std::vector<std::string> parts;
  for (const fs::path& part : file.path) parts.push_back(part.string());
  const bool remote = parts.front() == "remote_content";
  if (remote && parts.size() > 1) file.origin = parts[1];
  std::string id;
  for (std::size_t index = remote ? 2 : 1; index < parts.size(); ++index) id += parts[index];
  if (parts.front() == "url_cache" && parts.size() == 3 && is_date(parts[1])) file.ids = {parts[1] + "_" + parts[2], parts[1] + "-" + parts[2]};
  else file.ids = {std::move(id)};
  return file;
}

std::vector<FoundFile> MediaWalk::next(std::size_t count) {
  std::vector<FoundFile> files;
  if (held_) files.push_back(std::move(*held_));
  held_.reset();
  while (files.size() < count) {
    std::error_code error;
    if (at_ == fs::recursive_directory_iterator()) {
      if (parts_.empty()) break;
      at_ = fs::recursive_directory_iterator(folder_ / parts_.back(), fs::directory_options::skip_permission_denied, error);
      if (error && error != std::errc::no_such_file_or_directory) ++unreadable_;
      parts_.pop_back();
      continue;
    }
    auto file = judge(*at_);
    at_.increment(error);
    if (error) ++unreadable_;
    if (!file) continue;
    if (!files.empty() && files.front().origin != file->origin) {
      held_ = std::move(file);
      break;
    }
    files.push_back(std::move(*file));
  }
  return files;
}

}  // namespace steward::commands
