#include "command/finding.hpp"

#include <algorithm>

#include "command/reading.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

const Spec* by_name(std::string_view name, const std::vector<const Spec*>& specs) {
  const auto found = std::find_if(specs.begin(), specs.end(), [&](const Spec* spec) {
    return spec->name == name || (!spec->alias.empty() && spec->alias == name);
  });
  return found == specs.end() ? nullptr : *found;
}

// "rooms" ↔ "room", "policies" ↔ "policy".
std::string other_number(std::string name) {
  if (name.ends_with("ies")) return name.substr(0, name.size() - 3) + "y";
  if (name.ends_with('y')) return name.substr(0, name.size() - 1) + "ies";
  if (name.ends_with('s')) return name.substr(0, name.size() - 1);
  return name + "s";
}

}  // namespace

std::vector<std::string> first_names(std::string_view line) {
  std::vector<std::string> names;
  const std::string folded = fold_characters(line.substr(0, 512));
  for (const std::string& word : core::split(folded, ' ')) {
    if (word.empty()) continue;
    names.push_back(fold_name(word));
    if (names.size() == 2) break;
  }
  return names;
}

Match find_exact(const std::vector<std::string>& names, const std::vector<const Spec*>& specs) {
  if (names.empty()) return {};
  return {by_name(names[0], specs), 1};
}

Match find_joined(const std::vector<std::string>& names, const std::vector<const Spec*>& specs) {
  if (names.size() < 2) return {};
  const auto& [first, second] = std::pair(names[0], names[1]);
  // The noun in the other number only after both orders were tried as typed.
  for (const std::string& name : {second + "-" + first, first + "-" + second, second + "-" + other_number(first),
                                  first + "-" + other_number(second)})
    if (const Spec* spec = by_name(name, specs)) return {spec, 2};
  return {};
}

Match find_other_number(const std::vector<std::string>& names, const std::vector<const Spec*>& specs) {
  if (names.empty()) return {};
  return {by_name(other_number(names[0]), specs), 1};
}

Match find_command(const std::vector<std::string>& names, const std::vector<const Spec*>& specs) {
  Match match = find_exact(names, specs);
  if (match.spec == nullptr) match = find_joined(names, specs);
  if (match.spec == nullptr) match = find_other_number(names, specs);
  return match;
}

std::vector<std::string> nearest_names(const std::vector<std::string>& names, const std::vector<const Spec*>& specs) {
  std::vector<std::string> known;
  for (const Spec* spec : specs) known.push_back(spec->name);
  const auto near = [&](const std::string& typed) {
    std::vector<std::string> found = core::nearest_all(typed, known);
    // Two steps make any two letters out of any others.
    std::erase_if(found, [&](const std::string& name) {
      return core::edit_distance(typed, name) >= std::min(typed.size(), name.size());
    });
    return found;
  };
  if (names.empty()) return {};
  std::vector<std::string> found = near(names[0]);
  if (found.empty() && names.size() > 1) found = near(names[1] + "-" + names[0]);
  if (found.empty() && names.size() > 1) found = near(names[0] + "-" + names[1]);
  return found;
}

}  // namespace steward::command
