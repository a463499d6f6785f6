// shrink: the guide to a smaller server: each step with what it would free now, by its own dry run, in the order in which one makes
// the next worth more. Starts nothing; a reaction opens a step's plan. I/O thread. The manual page is shrink.md.
#include <fmt/format.h>

#include <array>

#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/dry_run.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

struct Step {
  const char* key;
  const char* what;
  const char* line;
};

constexpr std::array<Step, 5> steps{{
    {"1️⃣", "Media", "purge-media 90d --both"},
    {"2️⃣", "Rooms", "clean-rooms"},
    {"3️⃣", "Redacted text", "clean-redacted"},
    {"4️⃣", "State", "compress-state"},
    {"5️⃣", "Space back to the disk", "vacuum-full"},
}};

std::string gain_of(const jobs::Plan& plan) {
  std::string gain = plan.title;
  if (plan.items.empty() || plan.rows == 0 || plan.bytes.count > 0) return gain;
  return gain + fmt::format(" ({})", core::plural(plan.rows, "row", "rows"));
}

awaitable<core::Result<Answer>> guide(Arguments arguments, Context& context) {
  Answer answer;
  answer.message.title("How to make this server smaller, in this order");
  command::DataTable table;
  table.columns = {{"step"}, {"command"}, {"would"}, {"items", true}, {"rows", true}, {"bytes", true}};
  context.reports = false;  // it plans: what a plan reads, the role for reports may not
  for (const Step& step : steps) {
    auto request = command::read_scheduled(step.line, context.services);
    if (!request) co_return core::fail(request.error());
    auto plan = co_await dry_run(*request, context);
    const std::string would = plan ? gain_of(*plan) : "cannot be told: " + plan.error().what;
    matrix::Text text{matrix::plain(std::string(step.key) + " "), matrix::bold(step.what), matrix::plain(": "), matrix::code(std::string("!") + step.line)};
    answer.message.entry(std::move(text), matrix::Text{matrix::plain(would)});
    if (plan && !plan->items.empty()) answer.offers.emplace_back(step.key, step.line);
    const jobs::Plan known = plan.value_or(jobs::Plan());
    table.rows.push_back({step.what, step.line, would, std::to_string(known.items.size()), std::to_string(known.rows), std::to_string(known.bytes.count)});
  }
  answer.message.paragraph("A reaction plans its step; nothing happens before you confirm the plan.");
  attach(answer, arguments, table, "shrink");
  co_return answer;
}

}  // namespace

Command shrink() {
  Command command;
  command.spec.name = "shrink";
  command.spec.group = command::Group::database;
  command.spec.summary = "The guide to a smaller server: each step and what it would free";
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"shrink", ""}};
  command.manual = manual("shrink");
  command.answer = guide;
  return command;
}

}  // namespace steward::commands
