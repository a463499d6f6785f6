#include <charconv>

#include "synapse/admin_client.hpp"

namespace steward::synapse {

namespace {

// Takes the number in front of `text` off it.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<int> take_dotted(std::string_view& text) {
  if (!text.starts_with('.')) return std::nullopt;
  text.remove_prefix(1);
  return take_number(text);
}

}  // namespace

// A release candidate counts as its release: it has the same features.
std::optional<Version> parse_version(std::string_view text) {
  Version version;
  version.text = std::string(text);
  const auto major = take_number(text);
  if (!major) return std::nullopt;
  const auto minor = take_dotted(text);
  if (!minor) return std::nullopt;
  version.major = *major;
  version.minor = *minor;
  version.patch = take_dotted(text).value_or(0);
  return version;
}

}  // namespace steward::synapse
