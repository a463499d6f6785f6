// The state groups of one room in compact integers: per group its predecessor and its delta, as Synapse stores them.
// Texts (type and state key, event ids) are interned, so that a row takes eight bytes. No SQL, no I/O.
// Used by compress.hpp, the bench and the tests. Any thread; one object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace steward::compression {

// Every text once, numbered from 0.
class Texts {
 public:
  std::uint32_t number(std::string_view text);
  const std::string& text(std::uint32_t number) const { return texts_[number]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(texts_.size()); }

 private:
  std::deque<std::string> texts_;  // never moves: the map's views point into it
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

// The value of one key of the state: which event. An event of 0 means that the key is not in the state.
struct StateRow {
  std::uint32_t key = 0;
  std::uint32_t event = 0;
  bool operator==(const StateRow&) const = default;
};
inline constexpr std::uint32_t no_event = 0;

// A group's place among the room's groups, which stand in ascending order of their ids.
using Place = std::uint32_t;
inline constexpr Place nowhere = UINT32_MAX;

struct StateGroup {
  std::int64_t id = 0;
  Place predecessor = nowhere;  // always an earlier place
  std::uint32_t first_row = 0, row_count = 0;
  bool fixed = false;           // stays as it is, and nothing new is built on it
};

// A state by key, no_event where a key is absent.
using FullState = std::vector<std::uint32_t>;

class StateGroups {
 public:
  StateGroups() : numbers_(std::make_shared<Numbers>()) {}
  // Numbers keys and events as `other` does, so that full states of the two can be compared. Both belong to one thread.
  static StateGroups numbered_like(const StateGroups& other) { return StateGroups(other.numbers_); }

  // Reading, in any order of ids; the rows of a group follow its add_group.
  // `fixed`: must not be rewritten (in use, or about to be deleted); what is built on it is fixed with it.
  void add_group(std::int64_t id, std::optional<std::int64_t> predecessor, bool fixed = false);
  void add_row(std::string_view type, std::string_view state_key, std::string_view event_id);
  // Puts the groups in order and checks them. conflict, naming the groups: a circle, a predecessor that is missing or has
  // the higher id (Synapse reads chains by descending id), a group or a key of a group that is there twice.
  core::Result<void> finish();

  const std::vector<StateGroup>& groups() const { return groups_; }
  const StateRow* begin(const StateGroup& group) const { return rows_.data() + group.first_row; }
  const StateRow* end(const StateGroup& group) const { return begin(group) + group.row_count; }
  Place find(std::int64_t id) const;  // nowhere when there is no such group
  std::uint32_t keys() const { return numbers_->keys.size(); }
  std::int64_t row_count() const { return static_cast<std::int64_t>(rows_.size()); }
  std::pair<std::string_view, std::string_view> type_and_state_key(std::uint32_t key) const;
  const std::string& event_id(std::uint32_t event) const { return numbers_->events.text(event - 1); }

  // The full state of a group by the stored predecessors and deltas.
  FullState collapse(Place group) const;

 private:
  core::Result<void> find_predecessors();
  core::Result<void> check_order() const;
  core::Result<void> check_keys() const;

  struct Numbers { Texts keys, events; };
  explicit StateGroups(std::shared_ptr<Numbers> numbers) : numbers_(std::move(numbers)) {}

  std::shared_ptr<Numbers> numbers_;
  std::string key_text_;
  std::vector<StateGroup> groups_;
  std::vector<std::optional<std::int64_t>> named_;  // predecessors by id, until finish()
  std::vector<StateRow> rows_;
};

}  // namespace steward::compression
