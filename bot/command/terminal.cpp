// One line from the terminal: the same way as from the room, with the conversation printed instead of sent.
#include <fmt/format.h>

#include "command/cards.hpp"
#include "command/dispatcher_state.hpp"
#include "core/text.hpp"

namespace steward::command {

using boost::asio::awaitable;

namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_waits = 3;  // a plan waits for its confirmation

// Prints the NOTICE lines as they come, then how it ended.
awaitable<bool> follow_job(Services& services, std::int64_t number, std::function<void(std::string)> print) {
  std::size_t printed = 0;
  for (;;) {
    auto job = co_await services.stores->jobs.find(number);
    auto lines = co_await services.stores->jobs.log_lines(number);
    if (lines)
      for (; printed < lines->size(); ++printed) print((*lines)[printed]);
    if (job && *job && ((*job)->state == "done" || (*job)->state == "failed" || (*job)->state == "stopped" || (*job)->state == "void")) {
      auto receipt = jobs::decode_receipt((*job)->receipt);
      const matrix::Message card = receipt_card(**job, receipt ? *receipt : jobs::Receipt());
      print(card.plain_body());
      co_return (*job)->state == "done";
    }
    const bool alive = co_await async::sleep_for(std::chrono::milliseconds(200));
    if (!alive) co_return false;
  }
}

}  // namespace

awaitable<Dispatcher::TerminalResult> Dispatcher::terminal(TerminalLine line, std::function<void(std::string)> print) {
  State& state = *state_;
  Typed typed;
  typed.exclamation = true;
  typed.line = line.text.starts_with('!') ? line.text.substr(1) : line.text;
  Context context{state.services, core::UserId("terminal"), Role::admin, true, core::EventId(), std::nullopt, {}};
  context.as_data = line.as_data;
  Deliver deliver = [print](Answer answer) -> awaitable<void> {
    if (!answer.message.empty()) print(answer.message.plain_body());
    for (const report::Chart& chart : answer.charts) print(chart.title + "\n" + report::as_text(chart));
    for (const File& file : answer.files) print(fmt::format("--- {}\n{}", file.name, file.data));
    co_return;
  };
  Deliver again = deliver;
  Performed performed = co_await state.perform(std::move(typed), context, std::nullopt, std::move(deliver));
  TerminalResult result;
  result.json = performed.json;
  result.exit_code = performed.ok ? exit_done : exit_failed;
  if (!performed.ok || performed.number == 0) co_return result;

  auto job = co_await state.services.stores->jobs.find(performed.number);
  if (!job || !*job) co_return result;
  if ((*job)->state == "waiting") {
    auto plan = jobs::decode_plan((*job)->plan);
    const Command* command = plan ? state.services.table->find(plan->command) : nullptr;
    if (command) print(plan_card(performed.number, *plan, command->spec, false).plain_body());
    if (!line.yes) {
      print(fmt::format("It waits ten minutes: steward exec '{}' confirms it, and --yes would have done so at once.",
                        plan ? confirmation_words(performed.number, *plan) : std::string("yes")));
      result.exit_code = exit_waits;
      co_return result;
    }
    Say say;
    say.way = Say::Way::numbered;
    say.number = performed.number;
    if (plan && plan->level >= static_cast<int>(Level::destroys)) say.word = confirmation_word(*plan);
    Performed said = co_await state.say_to_plan(std::move(say), context, std::nullopt, std::move(again));
    co_await state.audit(context, said);
    if (!said.ok) {
      result.exit_code = exit_failed;
      co_return result;
    }
  } else if (performed.outcome.starts_with("declined")) {
    co_return result;
  }
  const bool done = co_await follow_job(state.services, performed.number, print);
  result.exit_code = done ? exit_done : exit_failed;
  co_return result;
}

}  // namespace steward::command
