#include "core/error.hpp"

namespace steward::core {

std::string describe(const Error& error) {
  std::string line = error.what.empty() ? "unknown error" : error.what;
  if (!error.why.empty()) line += ": " + error.why;
  if (!error.source.empty()) line += " (" + error.source + ")";
  if (!error.next.empty()) {
    if (line.back() != '.' && line.back() != '?') line += '.';
    line += ' ' + error.next;
  }
  return line;
}

bool is_temporary(const Error& error) { return error.code == Code::unavailable || error.code == Code::timeout; }

}  // namespace steward::core
