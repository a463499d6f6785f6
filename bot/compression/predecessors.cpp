#include "compression/predecessors.hpp"

#include <algorithm>

namespace steward::compression {

namespace {

// How far back the group with the nearest state is looked for, where the stored delta is no good hint.
constexpr Place looked_at = 64;

}  // namespace

Predecessors::Predecessors(const StateGroups& groups, Levels levels, bool spare_newest)
    : groups_(groups), levels_(std::move(levels)), spare_newest_(spare_newest), tree_(groups.keys()) {
  grow_states();
}

void Predecessors::grow_states() {
  const auto& all = groups_.groups();
  roots_.reserve(all.size());
  std::vector<Place> seen(groups_.keys(), nowhere);
  for (Place place = 0; place < all.size(); ++place) {
    const StateGroup& group = all[place];
    roots_.push_back(group.predecessor == nowhere ? snapshot(place, seen) : tree_.with(roots_[group.predecessor], groups_.begin(group), groups_.end(group)));
  }
}

// Made out of the state before it, which is nearly equal, so that the two share their branches.
StateTree::Root Predecessors::snapshot(Place place, std::vector<Place>& seen) {
  const StateGroup& group = groups_.groups()[place];
  const StateTree::Root before = place == 0 ? 0 : roots_[place - 1];
  for (const StateRow* row = groups_.begin(group); row != groups_.end(group); ++row) seen[row->key] = place;
  std::vector<StateRow> rows(groups_.begin(group), groups_.end(group));
  tree_.differences(0, before, [&](std::uint32_t key, std::uint32_t, std::uint32_t) {
    if (seen[key] != place) rows.push_back({key, no_event});
    return true;
  });
  return tree_.with(before, rows.data(), rows.data() + rows.size());
}

std::optional<std::uint32_t> Predecessors::cost(Place group, Place predecessor, std::uint32_t limit) const {
  std::uint32_t rows = 0;
  const bool possible = tree_.differences(root(predecessor), root(group), [&rows, limit](std::uint32_t, std::uint32_t, std::uint32_t after) {
    return after != no_event && ++rows < limit;
  });
  if (!possible) return std::nullopt;
  return rows;
}

std::vector<StateRow> Predecessors::delta(Place group, Place predecessor) const {
  std::vector<StateRow> rows;
  tree_.differences(root(predecessor), root(group), [&rows](std::uint32_t key, std::uint32_t, std::uint32_t after) {
    rows.push_back({key, after});
    return true;
  });
  return rows;
}

void Predecessors::put(Choice& choice, Place group, Place predecessor) const {
  const StateGroup& stored = groups_.groups()[group];
  const bool kept = stored.predecessor == predecessor;
  const std::uint32_t rows = kept ? stored.row_count : *cost(group, predecessor);
  choice.predecessor.push_back(predecessor);
  choice.rows.push_back(rows);
  choice.depth.push_back(predecessor == nowhere ? 0 : choice.depth[predecessor] + 1);
  choice.total += rows;
}

// Puts the group on the lowest level that has room; returns that level's head before, nowhere if all were full.
Place Predecessors::extend(Heads& heads, Place group, const Choice& choice) const {
  const bool newest = spare_newest_ && group + newest_groups >= roots_.size();
  for (std::size_t level = 0; level < heads.size(); ++level) {
    const Level before = heads[level];
    heads[level].head = group;
    const bool too_deep = newest && before.head != nowhere && choice.depth[before.head] >= newest_depth;
    if (before.length < levels_[level] && !too_deep) {
      ++heads[level].length;
      return before.head;
    }
    heads[level].length = 1;
  }
  return nowhere;
}

Choice Predecessors::by_order() const {
  Choice choice;
  Heads heads(levels_.size());
  for (Place place = 0; place < roots_.size(); ++place) {
    const StateGroup& group = groups_.groups()[place];
    Place predecessor = group.predecessor;
    if (!group.fixed) {
      predecessor = extend(heads, place, choice);
      while (predecessor != group.predecessor && predecessor != nowhere && !cost(place, predecessor)) predecessor = choice.predecessor[predecessor];
    }
    put(choice, place, predecessor);
  }
  return choice;
}

// The earlier group whose state is nearest. A stored delta of one row cannot be improved on.
Place Predecessors::nearest(Place place) const {
  const StateGroup& group = groups_.groups()[place];
  Place best = group.predecessor;
  if (best != nowhere && group.row_count <= 1) return best;
  std::uint32_t rows = group.row_count;
  for (Place back = 1; back <= looked_at && back <= place && rows > 0; ++back) {
    const Place candidate = place - back;
    if (groups_.groups()[candidate].fixed) continue;
    if (const auto fewer = cost(place, candidate, rows)) {
      best = candidate;
      rows = *fewer;
    }
  }
  return best;
}

Choice Predecessors::by_descent() const {
  Choice choice;
  std::vector<Heads> heads(roots_.size());
  for (Place place = 0; place < roots_.size(); ++place) {
    const StateGroup& group = groups_.groups()[place];
    Place predecessor = group.predecessor;
    if (!group.fixed) {
      const Place ancestor = nearest(place);
      if (ancestor != nowhere) heads[place] = heads[ancestor];
      predecessor = ancestor == nowhere ? nowhere : extend(heads[place], place, choice);
      // A group that stands alone is the first of every level, so that the next chain can begin on it.
      if (predecessor == nowhere) heads[place].assign(levels_.size(), {place, 1});
    }
    put(choice, place, predecessor);
  }
  return choice;
}

}  // namespace steward::compression
