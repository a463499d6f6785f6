#include "app/state_file.hpp"

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace steward::app {

namespace {
std::string path_in(const std::string& directory) { return directory + "/journal.mark"; }
}  // namespace

bool is_restored(const JournalMark& remembered, const JournalMark& now) {
  if (now.last_job < remembered.last_job || now.last_send < remembered.last_send) return true;
  const bool both_known = !remembered.system_identifier.empty() && !now.system_identifier.empty();
  return both_known && (remembered.system_identifier != now.system_identifier || remembered.timeline != now.timeline);
}

std::chrono::seconds away_for(const JournalMark& remembered, const JournalMark& now) {
  if (remembered.heartbeat_ms == 0 || now.heartbeat_ms < remembered.heartbeat_ms) return std::chrono::seconds(0);
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::milliseconds(now.heartbeat_ms - remembered.heartbeat_ms));
}

core::Result<std::optional<JournalMark>> read_mark(const std::string& directory) {
  std::ifstream file(path_in(directory));
  if (!file) return std::optional<JournalMark>();
  JournalMark mark;
  std::string identifier;
  if (!(file >> mark.last_job >> mark.last_send >> mark.timeline >> identifier))
    return core::fail(core::Code::bad_input, "The file journal.mark in the state directory cannot be read", "it is damaged",
                      "remove it when you are sure that the database was not restored from a backup");
  if (identifier != "-") mark.system_identifier = identifier;
  if (!(file >> mark.heartbeat_ms)) mark.heartbeat_ms = 0;  // written by an older version
  return mark;
}

core::Result<void> write_mark(const std::string& directory, const JournalMark& mark) {
  const std::string final_path = path_in(directory);
  const std::string new_path = final_path + ".new";
  std::FILE* file = std::fopen(new_path.c_str(), "w");
  if (!file) return core::fail(core::Code::unavailable, "The state directory cannot be written", {}, "check its owner and free space");
  const int written = std::fprintf(file, "%lld %lld %lld %s %lld\n", static_cast<long long>(mark.last_job),
                                   static_cast<long long>(mark.last_send), static_cast<long long>(mark.timeline),
                                   mark.system_identifier.empty() ? "-" : mark.system_identifier.c_str(),
                                   static_cast<long long>(mark.heartbeat_ms));
  const bool stored = written > 0 && std::fflush(file) == 0 && ::fdatasync(::fileno(file)) == 0;
  std::fclose(file);
  std::error_code error;
  if (stored) std::filesystem::rename(new_path, final_path, error);
  if (!stored || error)
    return core::fail(core::Code::unavailable, "The state directory cannot be written", {}, "check its owner and free space");
  return {};
}

}  // namespace steward::app
