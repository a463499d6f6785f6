// check-backup: the newest dump in the folder that steward-host looks into. I/O thread. The manual page is check_backup.md.
#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/checks.hpp"
#include "commands/host_actions.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;

namespace {

constexpr auto daily = std::chrono::hours(26);  // a dump a day, with time to be made
constexpr auto weekly = std::chrono::hours(24 * 8);

awaitable<core::Result<Answer>> check(Arguments arguments, Context& context) {
  auto dump = co_await newest_dump(context);
  if (!dump) co_return core::fail(dump.error());
  Checks checks;
  checks.add("Newest dump", dump->kind.empty() || dump->size.count == 0 ? Verdict::bad : Verdict::good, core::clean_name(dump->name));
  checks.add("Age", dump->age <= daily ? Verdict::good : dump->age <= weekly ? Verdict::look : Verdict::bad, core::format_age(dump->age));
  checks.must("Size", dump->size.count > 0, core::format_size(dump->size), "it is empty");
  checks.must("Head", !dump->kind.empty(), dump->kind, "it does not begin as pg_dump's custom format, plain SQL or gzip do");
  co_return checks.answer(arguments, "Backup", "backup");
}

}  // namespace

Command check_backup() {
  Command command;
  command.spec.name = "check-backup";
  command.spec.group = command::Group::database;
  command.spec.summary = "The newest database dump: its age, size and head";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "H";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"check-backup", ""}};
  command.manual = manual("check_backup");
  command.answer = check;
  return command;
}

}  // namespace steward::commands
