// A command: its declaration, its manual page and its coroutines. commands/all.cpp lists them all, a line each.
// `answer` for what reads or acts at once (Spec::control); `plan` and `run` for everything of level 1 and above. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command/arguments.hpp"
#include "command/spec.hpp"
#include "core/error.hpp"
#include "jobs/plan.hpp"
#include "jobs/progress.hpp"
#include "matrix/message.hpp"
#include "report/chart.hpp"

namespace steward::command {

struct Context;

struct File { std::string name, mimetype, data, caption; };

struct Answer {
  matrix::Message message;
  std::vector<File> files = {};
  std::vector<report::Chart> charts = {};  // pictures below the message; their text form where none can be
  // Reactions put on the message, each with the command line that it stands for: what changes something only opens a plan.
  std::vector<std::pair<std::string, std::string>> offers = {};
  bool rings = false;  // a new m.text that mentions the asker; else an m.notice
  std::string json = {};  // the same data for `exec --json`; empty: built from the plain text
};

struct Command {
  Spec spec;
  std::string_view manual;  // the .md page, embedded
  std::function<boost::asio::awaitable<core::Result<Answer>>(Arguments, Context&)> answer = {};
  // Computes the whole promise with the code that will act; changes nothing. A plan without items says so in its title.
  std::function<boost::asio::awaitable<core::Result<jobs::Plan>>(Arguments, Context&)> plan = {};
  // Works on the items in the journal (progress.for_each_item) and verifies. Called again after a crash: must be repeatable.
  std::function<boost::asio::awaitable<core::Result<jobs::Receipt>>(jobs::Plan, jobs::Progress&, Context&)> run = {};
};

// All commands by name. The pointers it gives live as long as it; it does not move, since specs() points into it.
class Table {
 public:
  explicit Table(std::vector<Command> commands);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  const Command* find(std::string_view canonical_name) const;  // nullptr: none of that name
  const std::vector<const Spec*>& specs() const { return specs_; }
  const std::vector<Command>& commands() const { return commands_; }

 private:
  std::vector<Command> commands_;
  std::vector<const Spec*> specs_;
};

}  // namespace steward::command
