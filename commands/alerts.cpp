// alerts: what is watched, its limits and what is wrong now; a family of five. The looks are alert_watch.cpp's.
// I/O thread; store only. The manual page is alerts.md.
#include <fmt/format.h>

#include "command/data_table.hpp"
#include "commands/alert_metrics.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "core/text.hpp"
#include "db/alert_store.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Role;
using command::Type;

namespace {

std::string limit_words(const Metric& metric, std::int64_t limit) {
  if (metric.name == abuse_reports) return "each new one";
  return (metric.below ? "less than " : "more than ") + value_words(metric, limit);
}

std::string state_of(const db::AlertRow& alert, const std::string& zone) {
  std::string words;
  if (alert.firing) words = "⚠ since " + (alert.since ? core::format_time(*alert.since, zone) : std::string("now"));
  if (alert.firing && !alert.acknowledged_by.empty()) words += ", 👀 " + alert.acknowledged_by;
  if (alert.silenced_until) words += (words.empty() ? "🔕 until " : ", 🔕 until ") + core::format_time(*alert.silenced_until, zone);
  return words;
}

void add_entry(Answer& answer, const db::AlertRow& alert, const std::string& zone) {
  const Metric* metric = find_metric(alert.metric);
  if (!metric) return;
  std::string rest = " " + limit_words(*metric, alert.limit);
  if (alert.value) rest += ", now " + value_words(*metric, *alert.value);
  else if (metric->name != abuse_reports) rest += ", not measured";
  if (const std::string state = state_of(alert, zone); !state.empty()) rest += " · " + state;
  answer.message.entry(matrix::Text{matrix::bold(fmt::format("{} {}", alert.number, metric->name)), matrix::plain(std::move(rest))});
}

command::DataTable table_of(const std::vector<db::AlertRow>& alerts) {
  command::DataTable table;
  table.columns = {{"number", true}, {"metric"}, {"limit", true}, {"value", true}, {"firing"}, {"detail"}, {"acknowledged_by"}};
  for (const db::AlertRow& alert : alerts)
    table.rows.push_back({std::to_string(alert.number), alert.metric, std::to_string(alert.limit), alert.value ? std::to_string(*alert.value) : "",
                          alert.firing ? "yes" : "no", alert.detail, alert.acknowledged_by});
  return table;
}

// What a person hears when it matters, by both ways at once.
awaitable<core::Result<Answer>> test_ways(Context& context) {
  Answer answer;
  answer.rings = true;
  answer.message.title("🔔 A test: this is how an alert rings here");
  if (!context.services.fallback) {
    answer.message.paragraph("No other way is configured for when this room cannot be reached: alerts.fallback in steward.yaml.");
    co_return answer;
  }
  std::string text = fmt::format("A test of synapse-steward on {}: this is how an alert arrives when its room cannot be reached.", context.options().server_name);
  auto sending = context.services.fallback(std::move(text));
  auto sent = co_await std::move(sending);
  answer.message.paragraph(sent ? "Sent by the other way, too: " + *sent + "." : "❌ The other way failed: " + core::describe(sent.error()));
  co_return answer;
}

awaitable<core::Result<Answer>> list(Arguments arguments, Context& context) {
  if (arguments.has("what")) co_return co_await test_ways(context);
  auto alerts = co_await context.stores().alerts.all();
  if (!alerts) co_return core::fail(alerts.error());
  Answer answer;
  const auto firing = std::count_if(alerts->begin(), alerts->end(), [](const db::AlertRow& alert) { return alert.firing; });
  answer.message.title(firing == 0 ? core::plural(static_cast<long long>(alerts->size()), "limit", "limits") + ", all is well"
                                   : fmt::format("⚠ {} of {}", firing, core::plural(static_cast<long long>(alerts->size()), "limit", "limits")));
  for (const db::AlertRow& alert : *alerts) add_entry(answer, alert, context.options().time_zone);
  if (alerts->empty()) answer.message.paragraph("Nothing is watched. !help alerts names what can be.");
  attach(answer, arguments, table_of(*alerts), "alerts");
  co_return answer;
}

awaitable<core::Result<Answer>> add(Arguments arguments, Context& context) {
  const Metric* metric = find_metric(arguments.text("metric"));
  if (!metric) co_return core::fail(core::Code::bad_input, "There is no such metric");
  const auto limit = parse_limit(*metric, arguments.text("limit"));
  if (!limit) co_return core::fail(limit.error());
  auto number = co_await context.stores().alerts.add(std::string(metric->name), *limit, context.asker.str());
  if (!number) co_return core::fail(number.error());
  Answer answer;
  answer.message.paragraph(fmt::format("Alert {}: {} {}. Undo: !alert remove {}", *number, metric->name, limit_words(*metric, *limit), *number));
  co_return answer;
}

awaitable<core::Result<db::AlertRow>> find(std::int64_t number, Context& context) {
  auto alert = co_await context.stores().alerts.find(number);
  if (!alert) co_return core::fail(alert.error());
  if (!*alert) co_return core::fail(core::Code::not_found, fmt::format("There is no alert {}", number), {}, "!alerts lists them");
  co_return std::move(**alert);
}

using Change = awaitable<core::Result<std::string>> (*)(db::AlertRow alert, const Arguments& arguments, Context& context);

awaitable<core::Result<std::string>> remove_one(db::AlertRow alert, const Arguments&, Context& context) {
  auto removed = co_await context.stores().alerts.remove(alert.number);
  if (!removed) co_return core::fail(removed.error());
  const Metric* metric = find_metric(alert.metric);
  co_return fmt::format("Alert {} is removed. Undo: !alert add {} {}", alert.number, alert.metric,
                        metric ? write_limit(*metric, alert.limit) : std::to_string(alert.limit));
}

awaitable<core::Result<std::string>> acknowledge_one(db::AlertRow alert, const Arguments&, Context& context) {
  if (!alert.firing) co_return fmt::format("Alert {} is well: nothing to acknowledge.", alert.number);
  auto noted = co_await context.stores().alerts.acknowledge(alert.number, context.asker.str());
  if (!noted) co_return core::fail(noted.error());
  co_return fmt::format("Alert {} is seen.", alert.number);
}

awaitable<core::Result<std::string>> silence_one(db::AlertRow alert, const Arguments& arguments, Context& context) {
  const auto span = arguments.age("span").value_or(std::chrono::hours(4));
  auto noted = co_await context.stores().alerts.silence(alert.number, span);
  if (!noted) co_return core::fail(noted.error());
  co_return fmt::format("Alert {} is quiet for {}; it is told then if it is not over. Undo: !silence {} 1s", alert.number, core::format_duration(span), alert.number);
}

awaitable<core::Result<Answer>> change_each(Arguments arguments, Context& context, Change change) {
  Answer answer;
  for (const std::string& word : arguments.list("number")) {
    auto alert = co_await find(std::stoll(word), context);
    if (!alert) co_return core::fail(alert.error());
    const std::string message = alert->message;
    auto changing = change(std::move(*alert), arguments, context);
    auto said = co_await std::move(changing);
    if (!said) co_return core::fail(said.error());
    answer.message.paragraph(std::move(*said));
    if (!message.empty() && context.services.show_alert) co_await context.services.show_alert(message);
  }
  co_return answer;
}

Command base(std::string name, std::string summary, std::string example) {
  Command command;
  command.spec.name = std::move(name);
  command.spec.group = command::Group::schedules;
  command.spec.summary = std::move(summary);
  command.spec.level = Level::reversible;
  command.spec.role = Role::operator_;
  command.spec.safe_while_running = "yes";
  command.spec.examples = {{std::move(example), ""}};
  command.spec.control = true;
  command.manual = manual("alerts");
  return command;
}

Command that_changes(std::string name, std::string summary, std::string example, Change change) {
  Command command = base(std::move(name), std::move(summary), std::move(example));
  command.spec.arguments = {command::list_of("number", Type::integer, "of the alert, as !alerts shows it")};
  command.answer = [change](Arguments arguments, Context& context) { return change_each(std::move(arguments), context, change); };
  return command;
}

}  // namespace

Command alerts() {
  Command command = base("alerts", "What is watched, its limits, what is wrong now", "alerts");
  command.spec.level = Level::reads;
  command.spec.role = Role::reader;
  command.spec.personal_data = false;
  command.spec.control = false;
  command::Argument what = command::optional_positional("what", Type::choice, "`test` rings here and by the other way, as an alert would");
  what.choices = {"test"};
  command.spec.arguments = {std::move(what), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples.push_back({"alerts test", "rings here, and by alerts.fallback"});
  command.answer = list;
  return command;
}

Command add_alert() {
  Command command = base("add-alert", "Watch something: `!alert add <metric> <limit>`", "alert add disk-free 10G");
  command::Argument metric = command::positional("metric", Type::choice, "what is watched");
  for (const Metric& one : metrics()) metric.choices.emplace_back(one.name);
  command.spec.arguments = {std::move(metric), command::positional("limit", Type::word, "a size, a duration, a number or a percentage, as the metric needs it")};
  command.answer = add;
  return command;
}

Command remove_alert() { return that_changes("remove-alert", "Watch something no longer", "alert remove 3", remove_one); }

Command acknowledge() {
  Command command = that_changes("ack", "Say that you saw an alert; 👀 on its message does the same", "ack 3", acknowledge_one);
  return command;
}

Command silence() {
  Command command = base("silence", "Keep an alert quiet for a while; it is told afterwards if it is not over", "silence 3 4h");
  command.spec.arguments = {command::positional("number", Type::integer, "of the alert, as !alerts shows it"),
                            command::optional_positional("span", Type::age, "how long; 4h when nothing is given")};
  command.answer = [](Arguments arguments, Context& context) { return change_each(std::move(arguments), context, silence_one); };
  return command;
}

}  // namespace steward::commands
