// A token or password that cannot be printed by accident, constant-time comparison, random text, SHA-256.
// Used by config, http callers, db. Any thread.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace steward::core {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }  // the only door; never pass the result to a log or a message
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

// Takes a time that depends on the length of `given` alone, which whoever sends it knows; nothing is told about `secret`.
bool equal_in_constant_time(std::string_view given, std::string_view secret);
std::string sha256_hex(std::string_view data);
std::string random_token(std::size_t characters);  // A–Z a–z 0–9 from the system's generator

// `text` with every occurrence of each known secret, of "access_token=…" and of passwords in URLs replaced by "***".
// Registered secrets are those given to remember_secret (at start, by app). Log and error sinks pass all text through it.
void remember_secret(const Secret& secret);
std::string without_secrets(std::string_view text);

}  // namespace steward::core

// Prints "***". fmt 9 asks for a specialization; later versions take it too.
template <>
struct fmt::formatter<steward::core::Secret> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const steward::core::Secret&, Context& context) const {
    return fmt::formatter<fmt::string_view>::format("***", context);
  }
};
