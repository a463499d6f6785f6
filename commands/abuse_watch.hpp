// Abuse reports that came since the last look, as messages with what can be done about each. Used by alert_watch.cpp only. I/O thread;
// read and store session.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>
#include <vector>

#include "command/context.hpp"

namespace steward::commands {

struct AbuseNotice {
  std::string cause;  // says it once, also after a crash before the mark
  matrix::Message message;
  std::vector<std::pair<std::string, std::string>> offers;  // reaction, command line; one that changes something only opens a plan
  std::vector<std::pair<std::string, std::string>> marks;   // setting, value: how far it goes
};

// One for each report, or one for all when there are many. The first look only notes where it begins.
boost::asio::awaitable<core::Result<std::vector<AbuseNotice>>> new_abuse_reports(command::Services& services);
// After they were said.
boost::asio::awaitable<core::Result<void>> mark_abuse_told(command::Services& services, std::vector<AbuseNotice> notices);

}  // namespace steward::commands
