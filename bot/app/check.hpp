// `steward check`, the doctor: one line for each thing that must hold, its verdict, and the way to mend it. Changes
// nothing. Used by main; the verdicts also by tests. Blocking: makes its own I/O loop.
#pragma once

#include <string>
#include <vector>

namespace steward::app {

struct CheckOptions {
  std::string config = "steward.yaml";
  std::vector<std::string> homeserver_yaml;  // also look at all registrations that Synapse reads
};

enum class Verdict { ok, warn, fail };
struct Finding {
  Verdict verdict = Verdict::ok;
  std::string what;
  std::string mend;  // empty when ok
};

// "ok    what" or "FAIL  what — mend", without secrets, one line.
std::string to_line(const Finding& finding);

// Prints all findings; 0 when none of them is a FAIL.
int check(const CheckOptions& options);

}  // namespace steward::app
