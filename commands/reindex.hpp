// The act of reindex: one index built anew beside the old one, concurrently, or one leftover of a cancelled rebuild dropped.
// One per run, with the Maintenance it works through. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "commands/maintenance.hpp"
#include "commands/space.hpp"

namespace steward::commands {

class ReindexWork {
 public:
  explicit ReindexWork(Maintenance& maintenance) : maintenance_(maintenance) {}
  // A rebuild that is cancelled, or fails, leaves an invalid copy behind: it is dropped before this returns, where it can be.
  boost::asio::awaitable<jobs::ItemOutcome> act(db::ItemRow item);
  boost::asio::awaitable<jobs::ItemOutcome> settle(db::ItemRow item);

  // Invalid copies that are still there, of all tables; what nobody is building right now.
  boost::asio::awaitable<core::Result<std::vector<SpaceIndex>>> leftovers(std::string table);

 private:
  struct Look {
    std::vector<SpaceIndex> indexes;
    SpaceHost host;
  };
  boost::asio::awaitable<core::Result<Look>> look(std::string index);
  boost::asio::awaitable<core::Result<jobs::ItemOutcome>> attempt(db::ItemRow item, bool uncertain);
  boost::asio::awaitable<core::Result<jobs::ItemOutcome>> rebuild(db::ItemRow item, SpaceIndex before, bool uncertain);
  boost::asio::awaitable<core::Result<jobs::ItemOutcome>> drop(db::ItemRow item, SpaceIndex leftover);
  boost::asio::awaitable<void> drop_leftovers(std::string table);

  Maintenance& maintenance_;
};

}  // namespace steward::commands
