#include "http/transport.hpp"

#include "core/text.hpp"

namespace steward::http {

std::string_view Response::header(std::string_view name) const {
  const std::string wanted = core::to_lower_ascii(name);
  for (const auto& [header_name, value] : headers) {
    if (header_name.size() == wanted.size() && core::to_lower_ascii(header_name) == wanted) return value;
  }
  return {};
}

}  // namespace steward::http
