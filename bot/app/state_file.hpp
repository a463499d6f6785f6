// What the bot remembers outside the database: how far its journal was. A restored backup restores the journal with it; this
// file is how the bot notices. Written by the housekeeping loop, read at start. I/O thread (a few bytes, atomic rename).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/error.hpp"

namespace steward::app {

struct JournalMark {
  std::int64_t last_job = 0;
  std::int64_t last_send = 0;   // greatest outbox id: grows with every word the bot says
  std::string system_identifier;  // of the PostgreSQL cluster; "" where the role may not see it
  std::int64_t timeline = 0;
  std::int64_t heartbeat_ms = 0;  // the store's clock when this was written; 0: not known
  auto operator<=>(const JournalMark&) const = default;
};

// True when `now` (the database) is behind what `remembered` says, or is another cluster or timeline.
bool is_restored(const JournalMark& remembered, const JournalMark& now);

// How long nobody wrote the mark; nothing where it is not known. After more than `away_limit` schedules stay paused: the whole host
// may come from a backup, and then nothing else shows it.
inline constexpr auto away_limit = std::chrono::minutes(15);
std::chrono::seconds away_for(const JournalMark& remembered, const JournalMark& now);

// nullopt when there is no file yet; bad_input when it cannot be read (treated like a restored journal by the caller).
core::Result<std::optional<JournalMark>> read_mark(const std::string& directory);
core::Result<void> write_mark(const std::string& directory, const JournalMark& mark);

}  // namespace steward::app
