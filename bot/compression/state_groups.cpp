#include "compression/state_groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace steward::compression {

namespace {

constexpr char separator = '\0';  // PostgreSQL's text cannot hold it
constexpr std::size_t shown_of_circle = 8;
constexpr const char* next_step = "nothing was changed; have a look at these groups by hand, or leave the room as it is";

core::Result<void> refuse(std::string what, std::string why = {}) {
  return core::fail(core::Code::conflict, std::move(what), std::move(why), next_step);
}

Place place_of(const std::vector<StateGroup>& sorted, std::int64_t id) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), id, [](const StateGroup& group, std::int64_t wanted) { return group.id < wanted; });
  return found == sorted.end() || found->id != id ? nowhere : static_cast<Place>(found - sorted.begin());
}

}  // namespace

std::uint32_t Texts::number(std::string_view text) {
  if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
  const auto number = size();
  texts_.emplace_back(text);
  numbers_.emplace(texts_.back(), number);
  return number;
}

void StateGroups::add_group(std::int64_t id, std::optional<std::int64_t> predecessor, bool fixed) {
  groups_.push_back({.id = id, .predecessor = nowhere, .first_row = static_cast<std::uint32_t>(rows_.size()), .row_count = 0, .fixed = fixed});
  named_.push_back(predecessor);
}

void StateGroups::add_row(std::string_view type, std::string_view state_key, std::string_view event_id) {
  key_text_.assign(type);
  key_text_ += separator;
  key_text_ += state_key;
  rows_.push_back({numbers_->keys.number(key_text_), numbers_->events.number(event_id) + 1});
  ++groups_.back().row_count;
}

std::pair<std::string_view, std::string_view> StateGroups::type_and_state_key(std::uint32_t key) const {
  const std::string_view text = numbers_->keys.text(key);
  const auto at = text.find(separator);
  return {text.substr(0, at), text.substr(at + 1)};
}

Place StateGroups::find(std::int64_t id) const { return place_of(groups_, id); }

core::Result<void> StateGroups::finish() {
  if (auto found = find_predecessors(); !found) return found;
  if (auto ordered = check_order(); !ordered) return ordered;
  if (auto once = check_keys(); !once) return once;
  for (StateGroup& group : groups_)
    if (group.predecessor != nowhere && groups_[group.predecessor].fixed) group.fixed = true;
  rows_.shrink_to_fit();
  return {};
}

core::Result<void> StateGroups::find_predecessors() {
  std::vector<std::uint32_t> order(groups_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [this](auto a, auto b) { return groups_[a].id < groups_[b].id; });
  std::vector<StateGroup> sorted;
  sorted.reserve(groups_.size());
  for (const auto each : order) sorted.push_back(groups_[each]);
  for (std::size_t place = 1; place < sorted.size(); ++place)
    if (sorted[place].id == sorted[place - 1].id)
      return refuse(fmt::format("State group {} is there twice", sorted[place].id), "two edges to a predecessor, or two rows in state_groups");
  for (std::size_t place = 0; place < sorted.size(); ++place) {
    const auto wanted = named_[order[place]];
    if (!wanted) continue;
    sorted[place].predecessor = place_of(sorted, *wanted);
    if (sorted[place].predecessor == nowhere)
      return refuse(fmt::format("State group {} is built on {}, which is missing", sorted[place].id, *wanted), "deleted, or of another room");
  }
  groups_ = std::move(sorted);
  named_ = {};
  return {};
}

// A circle always holds a predecessor with the higher id, so only there one is looked for.
core::Result<void> StateGroups::check_order() const {
  for (Place place = 0; place < groups_.size(); ++place) {
    const Place predecessor = groups_[place].predecessor;
    if (predecessor == nowhere || predecessor < place) continue;
    std::string circle = std::to_string(groups_[place].id);
    std::size_t steps = 0;
    for (Place at = predecessor; at != nowhere && steps <= groups_.size(); at = groups_[at].predecessor, ++steps) {
      if (steps < shown_of_circle) circle += fmt::format(" → {}", groups_[at].id);
      if (at == place) return refuse(fmt::format("State groups are built on each other in a circle: {}{}", circle, steps < shown_of_circle ? "" : " → …"));
    }
    return refuse(fmt::format("State group {} is built on the later group {}", groups_[place].id, groups_[predecessor].id),
                  "Synapse reads the groups of a chain from the highest id down, so such a chain has no certain meaning");
  }
  return {};
}

core::Result<void> StateGroups::check_keys() const {
  std::vector<Place> seen(keys(), nowhere);
  for (Place place = 0; place < groups_.size(); ++place)
    for (const StateRow* row = begin(groups_[place]); row != end(groups_[place]); ++row) {
      if (seen[row->key] == place) {
        const auto [type, state_key] = type_and_state_key(row->key);
        return refuse(fmt::format("State group {} holds two rows for {} \"{}\"", groups_[place].id, type, state_key));
      }
      seen[row->key] = place;
    }
  return {};
}

FullState StateGroups::collapse(Place group) const {
  FullState state(keys(), no_event);
  for (Place at = group; at != nowhere; at = groups_[at].predecessor)
    for (const StateRow* row = begin(groups_[at]); row != end(groups_[at]); ++row)
      if (state[row->key] == no_event) state[row->key] = row->event;
  return state;
}

}  // namespace steward::compression
