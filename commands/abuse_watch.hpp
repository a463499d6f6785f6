// Abuse reports that came since the last look, as messages with what can be done about each. Used by alert_watch.cpp only. I/O thread;
// read and store session.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "command/offers.hpp"

namespace steward::commands {

struct AbuseNotice {
  std::string cause;  // says it once, also after a crash before the mark
  matrix::Message message;
  command::Offers offers;  // what changes something only opens a plan
};
struct AbuseNews {
  std::vector<AbuseNotice> notices;
  std::map<std::string, std::string> marks;  // setting, value: how far they go
};

// One for each report, or one for all when there are many. The first look only notes where it begins.
boost::asio::awaitable<core::Result<AbuseNews>> new_abuse_reports(command::Services& services);
// After they were said.
boost::asio::awaitable<core::Result<void>> mark_abuse_told(command::Services& services, std::map<std::string, std::string> marks);

}  // namespace steward::commands
