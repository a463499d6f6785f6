// State groups that no event uses, by the rule by which Synapse marks them for deletion; and the hour that compressing and cleaning
// state groups keep from each other. Used by check-state-groups, clean-state-groups and compress-state. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "command/context.hpp"
#include "core/error.hpp"
#include "db/session.hpp"

namespace steward::commands {

inline constexpr int state_deletion_schema = 90;  // Synapse's marking update is there from then on

struct UnusedStateGroups {
  std::vector<std::int64_t> unmarked;  // ascending; not yet marked for deletion
  std::int64_t marked = 0;             // unused and marked already
  std::int64_t seen = 0;
  bool whole = true;                   // false: time was up, or too many; there may be more
};

// A group is unused when no event and no write under way uses it and every group built on it is unused. One walk downwards, since
// a group is only ever built on an older one; short transactions, one a page. Links that go upwards count as used.
boost::asio::awaitable<core::Result<UnusedStateGroups>> find_unused_state_groups(db::Session& read, std::chrono::milliseconds allowed);

boost::asio::awaitable<core::Result<std::int64_t>> count_state_rows(db::Session& read, std::vector<std::int64_t> groups);

// text[] of the ids, for a statement or a note.
std::string bind_groups(const std::vector<std::int64_t>& groups);

// conflict while the newest job of `other` runs or ended less than an hour ago: Synapse may remember for a while what one of the two
// changed, and the other must not build on it.
boost::asio::awaitable<core::Result<void>> keep_an_hour_from(std::string other, command::Context& context);

}  // namespace steward::commands
