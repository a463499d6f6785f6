// Typed arguments of one invocation, as the parser found them. Commands read them by name; asking for a name the spec does not
// declare, or with the wrong type, throws std::logic_error (a bug of ours, found by tests). An option that was not given reads as
// the default of its spec; has() and all() know only what was given. Any thread.
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
  Arguments() = default;
  explicit Arguments(const Spec& spec);  // everything declared, nothing given

  bool has(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::string text(std::string_view name) const;                    // the first value; "" when absent
  std::vector<std::string> list(std::string_view name) const;
  std::optional<std::chrono::seconds> age(std::string_view name) const;
  std::optional<core::Bytes> size(std::string_view name) const;
  std::optional<std::int64_t> integer(std::string_view name) const;
  std::optional<core::TimePoint> date(std::string_view name) const;
  std::optional<core::UserId> user(std::string_view name) const;
  std::optional<core::RoomId> room(std::string_view name) const;    // after resolving
  std::vector<core::RoomId> rooms(std::string_view name) const;

  // For the parser and the resolver (aliases, handles and `this` become ids before the command sees them). Values are checked
  // and canonical: full user ids, a date as milliseconds since 1970, choices in lower case, a given flag as "true".
  void set(const Argument& argument, std::vector<std::string> values);
  void replace(std::string_view name, std::vector<std::string> values);
  const std::map<std::string, std::vector<std::string>, std::less<>>& all() const { return values_; }

 private:
  struct Declared { Type type; std::string default_text; };
  const Declared& declared(std::string_view name) const;
  std::string single(std::string_view name, Type type) const;

  std::map<std::string, Declared, std::less<>> declared_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace steward::command
