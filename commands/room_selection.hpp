// Which rooms nobody on this server uses, and why a room is kept all the same: one SQL statement per reason, joined here.
// Used by clean-rooms (plan: all rooms; run: one room directly before its deletion) and room (what clean-rooms would say).
// The functions run inside a transaction, on the session's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::commands {

// In the order in which a room is counted when several apply; from `left` on `--include` takes them.
enum class Reason {
  joined, invited, knocked, joining, receiving, working, recalculated, protected_, empty, undated, recent, outside,
  left, aliased, published, spaces, upgraded, reported, delayed, blocked
};
inline constexpr Reason first_includable = Reason::left;
std::string_view word(Reason reason);         // "left": also the word of --include
std::string_view explanation(Reason reason);  // "left but not forgotten"
std::optional<Reason> parse_reason(std::string_view word);
std::vector<std::string> includable_words();

// What a policy is about, beyond the age; rooms outside of it are kept.
struct RoomFilter {
  std::optional<std::int64_t> min_events, max_events;
  std::optional<std::int64_t> max_members;  // joined from anywhere, as last known here
  std::optional<bool> direct;               // never more than two people, no name, no alias, not public
  bool empty() const { return !min_events && !max_events && !max_members && !direct; }
};

struct RoomChoice {
  std::string server_name;
  std::chrono::seconds older{};             // by the time this server received the newest event
  std::set<Reason> included;
  std::vector<std::string> protected_rooms;  // ids and local aliases: config, --keep, the admin room
  RoomFilter filter = {};                    // of the plan only: what is small enough to go stays so
};

struct RoomFacts {
  std::string room_id;
  std::string version;
  std::string label;            // for people; filled by label_rooms
  std::int64_t events = 0;      // counted up to 100 000 where few rooms are looked at
  std::optional<std::chrono::milliseconds> idle;
  bool encrypted = false;
  std::set<Reason> reasons;     // all that apply, included or not
};

// The reason that counts under the choice; nullopt: the room would go.
std::optional<Reason> kept_for(const RoomFacts& room, const RoomChoice& choice);

struct RoomSelection {
  std::int64_t all_rooms = 0;
  std::int64_t local_joins = 0;           // rows of local_current_membership
  std::int64_t local_joins_by_stats = 0;  // the same by room_stats_current
  std::vector<RoomFacts> rooms;           // without a local member, the longest unused first
};

// Every room without a local member, with all reasons to keep it. Reads only.
core::Result<RoomSelection> select_rooms(db::Transaction& transaction, const RoomChoice& choice);
// What looks like a fault in the membership tables rather than abandoned rooms: no local join at all, two tables that
// disagree by over a twentieth.
core::Result<void> check_memberships(const RoomSelection& selection);

// The same for one room at a time. Keeps what does not change from room to room; one per job. Not to be shared by threads.
class RoomWatch {
 public:
  explicit RoomWatch(RoomChoice choice) : choice_(std::move(choice)) {}
  const RoomChoice& choice() const { return choice_; }
  // nullopt: Synapse knows no such room.
  core::Result<std::optional<RoomFacts>> look(db::Transaction& transaction, const std::string& room_id);

 private:
  core::Result<void> refresh(db::Transaction& transaction);
  core::Result<bool> in_space(db::Transaction& transaction, const std::string& room_id);

  RoomChoice choice_;
  std::string statement_;                  // all reasons joined, for this server's tables
  std::set<std::string> protected_;
  std::vector<std::string> spaces_;        // that list rooms
  std::int64_t position_ = 0;              // newest event when the spaces were read
  std::chrono::steady_clock::time_point refreshed_{};
};

// Fills the labels: local alias, else the last name, else "(no name)". Names are hostile and come cleaned. A name that only events
// hold is found where the role may read them (the writer).
core::Result<void> label_rooms(db::Transaction& transaction, std::vector<RoomFacts*> rooms);
// Of these rooms those whose create event says that they are spaces, where the statistics do not know it.
core::Result<std::set<std::string>> untold_spaces(db::Transaction& transaction, const std::vector<std::string>& rooms);

}  // namespace steward::commands
