// Synapse's media folder as it lies on the disk: which file belongs to which medium (synapse/media/filepath.py), and a walk over all
// of them in parts. Thumbnails are not looked at: Synapse makes them anew. Used by check_media.cpp. Any thread, one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace steward::commands {

// Below the folder; nullopt for an id that could lead out of it.
std::optional<std::filesystem::path> file_of(std::string_view origin, std::string_view file_id, bool preview);

struct FoundFile {
  std::filesystem::path path;       // below the folder
  std::string origin;               // "": uploaded here
  std::vector<std::string> ids;     // what its medium may be called: the name of a preview's file has lost a character
  std::int64_t bytes = 0;
};

class MediaWalk {
 public:
  // Files younger than `least_age` are left out: their row comes after them.
  MediaWalk(std::filesystem::path folder, std::chrono::seconds least_age);
  // At most `count` files of one origin; empty at the end. What cannot be read is counted in unreadable().
  std::vector<FoundFile> next(std::size_t count);
  std::int64_t seen() const { return seen_; }
  std::int64_t unreadable() const { return unreadable_; }

 private:
  std::optional<FoundFile> judge(const std::filesystem::directory_entry& entry);

  std::filesystem::path folder_;
  std::filesystem::file_time_type newest_;
  std::vector<std::filesystem::path> parts_;  // still to be walked, the last one first
  std::filesystem::recursive_directory_iterator at_;
  std::optional<FoundFile> held_;             // of the next origin
  std::int64_t seen_ = 0, unreadable_ = 0;
};

}  // namespace steward::commands
