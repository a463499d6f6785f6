// How well and how fast state groups are compressed. Reads the rooms of a file that STEWARD_BENCH_STATE names:
//   COPY (SELECT g.room_id, g.id, e.prev_state_group, s.type, s.state_key, s.event_id FROM state_groups g
//         LEFT JOIN state_group_edges e ON e.state_group = g.id LEFT JOIN state_groups_state s ON s.state_group = g.id
//         ORDER BY g.room_id, g.id) TO STDOUT
// Prints per room: rows before and after, the same as synapse_compress_state would leave (its algorithm), groups to rewrite,
// depth, seconds for reading and for compressing with its proof; at the end the peak of memory.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "compression/compress.hpp"
#include "core/text.hpp"

namespace {

using namespace steward;
using Clock = std::chrono::steady_clock;

struct Room {
  std::string id;
  std::optional<std::int64_t> group;
  compression::StateGroups groups;
  Clock::time_point started = Clock::now();
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool measure(Room& room, const char* title, const compression::Levels& levels) {
  const auto start = Clock::now();
  const auto result = compression::compress(room.groups, levels);
  const double time = seconds_since(start);
  const auto known = compression::compress_by_order(room.groups, levels);
  if (!result || !known) {
    fmt::print("{}: {}\n", room.id, core::describe(result ? known.error() : result.error()));
    return false;
  }
  fmt::print("{} levels {}: {} → {} rows (known algorithm {}), {} of {} groups changed, depth {} → {}, {:.3f} s\n", room.id, title, result->rows_before,
             result->rows_after, known->rows_after, result->changed.size(), room.groups.groups().size(), result->depth_before, result->depth_after, time);
  return true;
}

bool finish(Room& room) {
  if (auto checked = room.groups.finish(); !checked) {
    fmt::print("{}: {}\n", room.id, core::describe(checked.error()));
    return false;
  }
  fmt::print("{} read in {:.3f} s\n", room.id, seconds_since(room.started));
  const bool deep = measure(room, "100,50,25", compression::default_levels);
  return measure(room, "50,50", {50, 50}) && deep;  // stays below the 100 steps after which Synapse writes a full state
}

}  // namespace

int main() {
  const char* path = std::getenv("STEWARD_BENCH_STATE");
  std::ifstream file(path ? path : "");
  if (!file) {
    fmt::print("STEWARD_BENCH_STATE must name a file of state groups, see the head of bench/compress_state.cpp\n");
    return 2;
  }
  bool good = true;
  std::optional<Room> room;
  for (std::string line; std::getline(file, line);) {
    const auto cells = core::split(line, '\t');
    if (cells.size() != 6) {
      fmt::print("a line with {} instead of 6 columns\n", cells.size());
      return 2;
    }
    if (!room || room->id != cells[0]) {
      if (room) good = finish(*room) && good;
      room.emplace();
      room->id = cells[0];
    }
    const std::int64_t group = std::stoll(cells[1]);
    if (room->group != group) {
      room->group = group;
      room->groups.add_group(group, cells[2] == "\\N" ? std::nullopt : std::optional<std::int64_t>(std::stoll(cells[2])));
    }
    if (cells[3] != "\\N") room->groups.add_row(cells[3], cells[4], cells[5]);
  }
  if (room) good = finish(*room) && good;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("peak memory {:.1f} MB\n", static_cast<double>(usage.ru_maxrss) / 1024);
  return good ? 0 : 1;
}
