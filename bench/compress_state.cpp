// compress-state's whole way on a real database: read, choose, prove, write with commits, pauses and all.
//
//   bench_compress_state CONNECTION ROOM…
//
// Prints a line of JSON per room: rows before and after, groups changed, depth after, the same as synapse_compress_state's
// algorithm would leave at the same bounds, seconds (of the work, with the pauses, of the longest transaction), peak memory so far.
// scripts/bench --compress runs it beside the known tool and compares every state before and after.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <thread>

#include "commands/state_compression.hpp"
#include "core/text.hpp"

namespace {

using namespace steward;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// The peak of this program alone; what getrusage gives holds the program's that started it, too.
double megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

// As the command does it, with the session's thread as the only other one.
template <class Work>
auto run(boost::asio::io_context& io, db::Session& session, Work work) {
  std::optional<std::invoke_result_t<Work&, db::Transaction&>> result;
  auto running = [&]() -> boost::asio::awaitable<void> { result = co_await session.transaction(work); };
  boost::asio::co_spawn(io, running, boost::asio::detached);
  io.run();
  io.restart();
  if (!*result) throw std::runtime_error(core::describe(result->error()));
  return std::move(**result);
}

void compress(boost::asio::io_context& io, db::Session& session, const std::string& room) {
  const auto start = Clock::now();
  const auto state = run(io, session, [&](db::Transaction& transaction) { return commands::read_state(transaction, room); });
  const auto read = Clock::now();
  const auto compressed = compression::compress(state->groups);
  if (!compressed) throw std::runtime_error(core::describe(compressed.error()));
  const auto chosen = Clock::now();
  Clock::duration paused{}, longest{};
  std::int64_t fewer = 0;
  int transactions = 0;
  commands::Chunks chunks(*state, *compressed);
  while (const auto chunk = chunks.next()) {
    const auto began = Clock::now();
    fewer += run(io, session, [&](db::Transaction& transaction) { return commands::rewrite(transaction, room, *chunk, state->groups); });
    const auto taken = Clock::now() - began;
    longest = std::max(longest, taken);
    ++transactions;
    const auto whole = std::chrono::duration_cast<Milliseconds>(taken);
    chunks.took(whole);
    const auto pause = commands::pause_after(whole);
    std::this_thread::sleep_for(pause);
    paused += pause;
  }
  const auto all = Clock::now() - start;
  const double memory = megabytes();
  const compression::Levels shallow{50, 50};  // Synapse's own bound of 100 for all groups
  const auto known = compression::compress_by_order(state->groups), known_shallow = compression::compress_by_order(state->groups, shallow),
             ours_shallow = compression::compress(state->groups, shallow);
  if (!known || !known_shallow || !ours_shallow) throw std::runtime_error("the comparison failed");
  fmt::print(
      R"({{"room": "{}", "before": {}, "after": {}, "changed": {}, "depth": {}, "known": {}, "after_100": {}, "known_100": {}, "read": {:.3f}, "choose": {:.3f}, )"
      R"("work": {:.3f}, "all": {:.3f}, "transactions": {}, "longest": {:.3f}, "memory": {:.1f}}})"
      "\n",
      room, compressed->rows_before, compressed->rows_before - fewer, compressed->changed.size(), compressed->depth_after, known->rows_after,
      ours_shallow->rows_after, known_shallow->rows_after, seconds(read - start), seconds(chosen - read), seconds(all - paused), seconds(all), transactions,
      seconds(longest), memory);
}

}  // namespace

int main(int count, char** words) try {
  if (count < 3) throw std::runtime_error("bench_compress_state CONNECTION ROOM…");
  boost::asio::io_context io{1};
  db::SessionOptions options;
  options.name = "bench";
  options.connection = core::Secret(words[1]);
  db::Session session(io.get_executor(), options);
  for (int index = 2; index < count; ++index) compress(io, session, words[index]);
  return 0;
} catch (const std::exception& problem) {
  fmt::print(stderr, "{}\n", problem.what());
  return 1;
}
