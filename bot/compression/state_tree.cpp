#include "compression/state_tree.hpp"

namespace steward::compression {

StateTree::StateTree(std::uint32_t keys) : nodes_(1, Node{}) {
  for (std::uint64_t held = width; held < keys; held *= width) ++height_;
}

StateTree::Root StateTree::with(Root base, const StateRow* first, const StateRow* last) {
  own_from_ = static_cast<std::uint32_t>(nodes_.size());
  for (; first != last; ++first) base = set(base, height_, *first);
  return base;
}

std::uint32_t StateTree::set(std::uint32_t node, std::uint32_t level, StateRow row) {
  if (level == 0) return row.event;
  const std::uint32_t slot = (row.key >> (bits * (level - 1))) & (width - 1);
  const std::uint32_t below = nodes_[node][slot];
  const std::uint32_t changed = set(below, level - 1, row);
  if (changed == below) return node;
  if (node == 0 || node < own_from_) {
    const Node copy = nodes_[node];
    node = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(copy);
  }
  nodes_[node][slot] = changed;
  return node;
}

}  // namespace steward::compression
