// How setup, check and remove speak to the person at the terminal: plain lines on stdout, one error on stderr, and no
// secret in either. Header only; one thread.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "app/setup.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

namespace steward::app {

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  const std::string line = fmt::format(format, std::forward<Args>(args)...) + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

// Prints the error with what to do next; the exit code for it.
inline int give_up(const core::Error& error) {
  std::string text = "steward: " + error.what;
  if (!error.why.empty()) text += "\n  why:  " + error.why;
  if (!error.source.empty()) text += " (" + error.source + ")";
  if (!error.next.empty()) text += "\n  next: " + error.next;
  text = core::without_secrets(text) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  return failed;
}

}  // namespace steward::app
