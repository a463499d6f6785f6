// A command line that was understood, on its way through the dispatcher. Used by the dispatcher's sources and by !schedule, which
// keeps lines for later. I/O thread.
#pragma once

#include <string>

#include "command/context.hpp"
#include "command/parser.hpp"

namespace steward::command {

struct Request {
  const Command* command = nullptr;
  Parsed parsed;
  bool dry_run = false;
  bool changing = false;  // above level 0 and not a dry run
};

Request request_of(Parsed parsed, const Services& services);

// A line that a schedule keeps ("purge-media 30d", with or without "!"). bad_input: not a command, not understood, something a
// schedule may not run (what acts at once, what is about other jobs, names that mean something only now: r3, `this`).
core::Result<Request> read_scheduled(std::string_view line, const Services& services);

// Role, cap of the room, freeze: whether the one in `context` may run it at that level.
core::Result<void> allowed(const Spec& spec, Level level, bool dry_run, const Context& context);

}  // namespace steward::command
