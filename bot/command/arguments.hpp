// Typed arguments of one invocation, as the parser found them. Commands read them by name; asking for a name the spec does not
// declare, or with the wrong type, throws std::logic_error (a bug of ours, found by tests). Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "command/spec.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

namespace steward::command {

class Arguments {
 public:
  bool has(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::string text(std::string_view name) const;                    // "" when absent
  std::vector<std::string> list(std::string_view name) const;
  std::optional<std::chrono::seconds> age(std::string_view name) const;
  std::optional<core::Bytes> size(std::string_view name) const;
  std::optional<std::int64_t> integer(std::string_view name) const;
  std::optional<core::UserId> user(std::string_view name) const;
  std::optional<core::RoomId> room(std::string_view name) const;    // after resolving
  std::vector<core::RoomId> rooms(std::string_view name) const;

  // For the parser and the resolver (aliases, handles and `this` become ids before the command sees them).
  void set(const Argument& argument, std::vector<std::string> values);
  void replace(std::string_view name, std::vector<std::string> values);
  const std::map<std::string, std::vector<std::string>, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace steward::command
