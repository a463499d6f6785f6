// The act of analyze, vacuum and vacuum-full on one table: look again, one statement, look again. One per run, with the
// Maintenance it works through. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "commands/maintenance.hpp"
#include "commands/space.hpp"

namespace steward::commands {

enum class VacuumWay { analyze, vacuum, full };

class VacuumWork {
 public:
  VacuumWork(VacuumWay way, Maintenance& maintenance);
  // Keeps a table that is gone or, to be written anew, has too little disk left.
  boost::asio::awaitable<jobs::ItemOutcome> act(db::ItemRow item);
  // A table that was worked on when the bot died: ANALYZE and VACUUM are done again; a rewrite that came through is seen by
  // its files.
  boost::asio::awaitable<jobs::ItemOutcome> settle(db::ItemRow item);

 private:
  struct Look {
    std::optional<SpaceTable> table;
    SpaceHost host;
  };
  boost::asio::awaitable<core::Result<Look>> look(std::string name);
  boost::asio::awaitable<core::Result<jobs::ItemOutcome>> attempt(db::ItemRow item, bool uncertain);

  VacuumWay way_;
  Maintenance& maintenance_;
};

}  // namespace steward::commands
