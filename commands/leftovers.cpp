#include "commands/leftovers.hpp"

#include <array>

#include "async/tasks.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

namespace {

constexpr std::int64_t batch = 5000;  // as in the statement
constexpr int lock_tries = 5;
constexpr std::array tables{"room_retention", "event_labels", "event_search", "threads", "room_alias_servers", "event_expiry"};

}  // namespace

boost::asio::awaitable<core::Result<TableRows>> clean_leftovers(db::Session& work, std::string room_id, LeftoverNames names) {
  TableRows cleaned;
  int refused = 0;
  for (bool more = true; more;) {
    db::Arguments arguments;
    arguments.emplace_back("room", room_id);
    arguments.emplace_back("aliases", db::bind_array(names.aliases));
    arguments.emplace_back("expiring", db::bind_array(names.expiring));
    auto rows = co_await work.query(db::sql::rooms_leftovers, std::move(arguments));
    // A cancelled statement belonged to the job that is being stopped; this last bit of the room is finished all the same.
    const bool again = !rows && (rows.error().code == core::Code::timeout || rows.error().code == core::Code::cancelled);
    if (again && ++refused < lock_tries) {
      co_await async::sleep_for(std::chrono::milliseconds(200) * refused);
      continue;
    }
    if (!rows) co_return core::fail(rows.error());
    more = false;
    for (const char* table : tables) {
      const std::int64_t count = rows->front().integer(table);
      if (count > 0) cleaned[table] += count;
      more = more || count >= batch;
    }
  }
  co_return cleaned;
}

}  // namespace steward::commands
