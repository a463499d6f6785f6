#include "commands/alert_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/abuse_watch.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "room/live_message.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Context;

namespace {

constexpr int looks_between_dear = 5;
constexpr std::size_t told_singly = 3;  // more at once are one message
constexpr std::size_t entries_shown = 14;
const std::string usual_mark = "alerts.usual";

std::string span_of(const db::AlertRow& alert, const std::string& zone) {
  if (!alert.since) return {};
  std::string words = core::format_time(*alert.since, zone);
  if (!alert.firing && alert.ended)
    words += fmt::format(" to {}, {}", core::format_time(*alert.ended, zone), core::format_duration(*alert.ended - *alert.since));
  return words;
}

std::string headline(const db::AlertRow& alert) {
  const Metric* metric = find_metric(alert.metric);
  if (!metric) return fmt::format("Alert {} · {}", alert.number, core::clean_name(alert.metric));
  const std::string value = alert.value ? value_words(*metric, *alert.value) : std::string("not known");
  return fmt::format("{} Alert {} · {}: {}, {} {}", alert.firing ? "⚠" : "✅", alert.number, metric->name, value,
                     alert.firing ? metric->below ? "less than" : "more than" : "well again, the limit is", value_words(*metric, alert.limit));
}

std::vector<std::string> lines_of(const db::AlertRow& alert, const std::string& zone) {
  const Metric* metric = find_metric(alert.metric);
  std::vector<std::string> lines;
  if (metric) {
    std::string what(metric->text);
    if (!alert.detail.empty()) what += ": " + alert.detail;
    lines.push_back(std::move(what));
  }
  lines.push_back((alert.firing ? "Since " : "From ") + span_of(alert, zone));
  if (!alert.acknowledged_by.empty()) lines.push_back("👀 " + alert.acknowledged_by);
  if (alert.firing && metric && !metric->advice.empty()) lines.emplace_back(metric->advice);
  if (alert.firing && alert.acknowledged_by.empty()) lines.push_back(fmt::format("👀 says you saw it, !silence {} 4h keeps it quiet.", alert.number));
  return lines;
}

std::string message_cause(const std::vector<db::AlertRow>& fresh) {
  std::string cause = "alert";
  for (const db::AlertRow& alert : fresh) cause += fmt::format(":{}", alert.number);
  return cause + fmt::format("@{}", fresh.front().since ? core::to_unix_ms(*fresh.front().since) : 0);
}

bool any_of(const std::vector<db::AlertRow>& alerts, bool Metric::* what) {
  return std::any_of(alerts.begin(), alerts.end(), [&](const db::AlertRow& alert) {
    const Metric* metric = find_metric(alert.metric);
    return metric && metric->*what;
  });
}

}  // namespace

matrix::Message alert_message(const std::vector<db::AlertRow>& alerts, const std::string& zone) {
  matrix::Message message;
  if (alerts.size() == 1) {
    message.title(headline(alerts.front()));
    for (std::string& line : lines_of(alerts.front(), zone)) message.paragraph(std::move(line));
    return message;
  }
  const auto firing = std::count_if(alerts.begin(), alerts.end(), [](const db::AlertRow& alert) { return alert.firing; });
  message.title(firing > 0 ? fmt::format("⚠ {}, {} not over", core::plural(static_cast<long long>(alerts.size()), "alert", "alerts"), firing)
                           : fmt::format("✅ {}, all over", core::plural(static_cast<long long>(alerts.size()), "alert", "alerts")));
  for (std::size_t index = 0; index < std::min(alerts.size(), entries_shown); ++index) {
    std::string line = headline(alerts[index]);
    if (!alerts[index].detail.empty()) line += " · " + alerts[index].detail;
    if (!alerts[index].acknowledged_by.empty()) line += " · 👀 " + alerts[index].acknowledged_by;
    message.entry(std::move(line));
  }
  if (firing > 0) message.paragraph("👀 says you saw them; !alerts lists all.");
  return message;
}

awaitable<core::Result<void>> make_usual_alerts(command::Services& services) {
  auto made = co_await services.stores->settings.get(usual_mark);
  if (!made) co_return core::fail(made.error());
  if (*made) co_return core::Result<void>();
  for (const Metric& metric : metrics()) {
    if (!metric.usual) continue;
    auto added = co_await services.stores->alerts.add(std::string(metric.name), *metric.usual, "");
    if (!added) co_return core::fail(added.error());
  }
  co_return co_await services.stores->settings.put(usual_mark, "made");
}

AlertWatch::AlertWatch(command::Services& services, room::AdminRoom& room, std::function<void(std::string)> fallback)
    : services_(services), room_(room), fallback_(std::move(fallback)) {}

// In quiet hours only what cannot wait for the morning.
bool AlertWatch::may_ring(bool urgent) const {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return urgent || !core::quiet_until(now, command::daytime(*services_.options));
}

awaitable<void> AlertWatch::look() {
  auto alerts = co_await services_.stores->alerts.all();
  if (!alerts) co_return;
  std::set<std::string, std::less<>> wanted;
  bool abuse = false;
  for (const db::AlertRow& alert : *alerts) {
    wanted.insert(alert.metric);
    abuse = abuse || (alert.metric == abuse_reports && !alert.silenced_until);
  }
  Context context{services_, core::UserId(), command::Role::admin, true, core::EventId(), std::nullopt, {}};
  context.reports = true;
  const bool all = looks_++ % looks_between_dear == 0;
  const Measures measures = co_await measure(std::move(wanted), all, context);
  std::set<std::string> changed;
  for (db::AlertRow& alert : *alerts) co_await judge(alert, measures, changed);
  for (const std::string& message : changed) co_await show_again(message);
  auto after = co_await services_.stores->alerts.all();
  if (!after) co_return;
  std::vector<db::AlertRow> fresh;
  for (db::AlertRow& alert : *after)
    if (alert.firing && alert.message.empty() && !alert.silenced_until) fresh.push_back(std::move(alert));
  co_await tell(std::move(fresh));
  if (abuse) co_await tell_abuse();
  last_look_ = std::chrono::system_clock::now();
}

awaitable<void> AlertWatch::judge(db::AlertRow& alert, const Measures& measures, std::set<std::string>& changed) {
  const Metric* metric = find_metric(alert.metric);
  const auto found = measures.find(alert.metric);
  if (!metric || found == measures.end()) co_return;
  const report::Watched before{alert.firing, alert.streak};
  const report::Watched after = report::judge(before, limit_of(*metric, alert.limit), found->second.value);
  alert.firing = after.firing;
  alert.streak = after.streak;
  alert.value = found->second.value;
  alert.detail = found->second.detail;
  const bool begins = after.firing && !before.firing, ends = before.firing && !after.firing;
  auto noted = co_await services_.stores->alerts.note(alert, begins, ends);
  if (!noted) core::log_warning("alerts", "{}", core::describe(noted.error()));
  else if (ends && !alert.message.empty()) changed.insert(alert.message);
}

awaitable<void> AlertWatch::show_again(std::string message) {
  auto alerts = co_await services_.stores->alerts.told_by(message);
  if (!alerts || alerts->empty()) co_return;
  matrix::Message text = alert_message(*alerts, services_.options->time_zone);
  room::LiveMessage live(room_, services_.stores->outbox, std::move(message), matrix::Envelope());
  co_await live.show(std::move(text), /*now=*/true);
}

awaitable<void> AlertWatch::tell(std::vector<db::AlertRow> fresh) {
  std::vector<std::vector<db::AlertRow>> messages;
  if (fresh.size() > told_singly) messages.push_back(std::move(fresh));
  else
    for (db::AlertRow& alert : fresh) messages.emplace_back(1, std::move(alert));
  for (const std::vector<db::AlertRow>& alerts : messages) {
    const std::string cause = message_cause(alerts);
    const bool urgent = any_of(alerts, &Metric::urgent);
    matrix::Message text = alert_message(alerts, services_.options->time_zone);
    if (urgent) fallback_(text.plain_body());
    std::vector<std::int64_t> numbers;
    std::string line = "ack";
    for (const db::AlertRow& alert : alerts) {
      numbers.push_back(alert.number);
      line += fmt::format(" {}", alert.number);
    }
    const bool rings = any_of(alerts, &Metric::rings) && may_ring(urgent);
    command::Offers offers;
    offers.emplace_back("👀", std::move(line));
    co_await say_with_offers(cause, std::move(text), rings, std::move(offers));
    auto noted = co_await services_.stores->alerts.note_told(std::move(numbers), cause);
    if (!noted) core::log_warning("alerts", "{}", core::describe(noted.error()));
  }
}

// A message and, on it, the reactions that a person only needs to tap.
awaitable<void> AlertWatch::say_with_offers(std::string cause, matrix::Message message, bool rings, command::Offers offers) {
  matrix::Envelope envelope;
  envelope.notice = !rings;
  if (rings) envelope.mentions = services_.options->admins;
  auto said = co_await room_.say(cause, std::move(message), std::move(envelope));
  if (said) co_await command::put_offers(services_, room_, std::move(cause), std::move(offers));
  else core::log_warning("alerts", "{}", core::describe(said.error()));
}

awaitable<void> AlertWatch::tell_abuse() {
  auto fresh = co_await new_abuse_reports(services_);
  if (!fresh) {
    core::log_info("alerts", "new abuse reports cannot be read: {}", core::describe(fresh.error()));
    co_return;
  }
  for (AbuseNotice& notice : fresh->notices) co_await say_with_offers(notice.cause, std::move(notice.message), may_ring(false), std::move(notice.offers));
  auto marked = co_await mark_abuse_told(services_, std::move(fresh->marks));
  if (!marked) core::log_warning("alerts", "{}", core::describe(marked.error()));
}

}  // namespace steward::commands
