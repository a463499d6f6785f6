// report: how the server is and what changed, in the same order every time. Counts only, so a reader may see it.
// I/O thread; admin API, read and store session. The manual page is report.md.
#include <fmt/format.h>

#include <algorithm>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/charts.hpp"
#include "commands/database_reports.hpp"
#include "commands/report.hpp"
#include "commands/report_figures.hpp"
#include "commands/table_sizes.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
using command::Type;

namespace {

constexpr auto day = std::chrono::hours(24);
constexpr std::size_t tables_shown = 5;
constexpr std::int64_t groups_shown = 5;
constexpr std::int64_t days_shown = 14;
constexpr std::int64_t months_shown = 24;
constexpr std::int64_t full_soon = 14;  // days

std::string bytes_words(std::int64_t bytes) { return core::format_size(core::Bytes{bytes}); }

std::string grown_count(std::int64_t by) { return (by < 0 ? "−" : "+") + core::format_count(std::abs(by)); }

// One line of the card: "Media: 60 files, 1.5 MB (+20 kB)", what is another value than last time in bold.
class Line {
 public:
  Line(const ReportFigures& figures, std::string label) : figures_(figures), text_{matrix::plain(std::move(label) + ": ")} {}

  Line& words(std::string text) { return add(std::move(text), false); }
  Line& changed(std::string text) { return add(std::move(text), true); }
  Line& size(const std::string& name, const std::string& after = {}) {
    return figure(name, bytes_words, growth_words, after);
  }
  Line& count(const std::string& name, const std::string& one, const std::string& many) {
    return figure(name, [&](std::int64_t value) { return core::plural(value, one, many); }, grown_count, {});
  }
  matrix::Text text() const { return text_; }
  bool has_news() const { return news_; }

 private:
  template <class Show, class Change>
  Line& figure(const std::string& name, Show show, Change change, const std::string& after) {
    const auto now = figures_.value(name), before = figures_.value_before(name);
    if (!now) return add("not known", false);
    if (!before || show(*before) == show(*now)) return add(show(*now) + after, false);
    return add(fmt::format("{} ({}){}", show(*now), change(*now - *before), after), true);
  }
  Line& add(std::string text, bool news) {
    const std::string separator = empty_ ? "" : ", ";
    empty_ = false;
    news_ = news_ || news;
    if (!separator.empty()) text_.push_back(matrix::plain(separator));
    text_.push_back(news ? matrix::bold(std::move(text)) : matrix::plain(std::move(text)));
    return *this;
  }

  const ReportFigures& figures_;
  matrix::Text text_;
  bool empty_ = true, news_ = false;
};

Line database_line(const ReportFigures& figures) {
  Line line(figures, "Database");
  line.size("database_bytes");
  if (figures.value("disk_free")) line.words(bytes_words(*figures.value("disk_free")) + " of disk free");
  if (const auto days = days_until_full(figures)) {
    std::string words = fmt::format("full in ≈ {}", core::plural(*days, "day", "days"));
    if (*days <= full_soon) line.changed("⚠ " + std::move(words));
    else if (*days < 1000) line.words(std::move(words));
  }
  return line;
}

Line media_line(const ReportFigures& figures) {
  return Line(figures, "Media").count("local_files", "file", "files").size("local_bytes").size("remote_bytes", " cached from other servers");
}

Line users_line(const ReportFigures& figures) {
  const auto days = figures.window / day;
  const std::string span = days == 1 ? "a day" : fmt::format("{} days", days);
  Line line(figures, "Users");
  line.count("people", "person", "people");
  const auto fresh = figures.value(fmt::format("new_people_{}d", days)).value_or(0);
  if (fresh > 0) line.changed(fmt::format("{} new", core::format_count(fresh)));
  line.count(fmt::format("active_{}d", days), "active in " + span, "active in " + span);
  return line;
}

Line rooms_line(const ReportFigures& figures) {
  Line line(figures, "Rooms");
  line.count("rooms", "room", "rooms");
  const auto now = figures.value("events_position"), before = figures.value_before("events_position");
  if (now && before && *now > *before) line.changed(core::plural(*now - *before, "new event", "new events"));
  line.count("failing", "server cannot be reached", "servers cannot be reached");
  return line;
}

Line work_line(const ReportFigures& figures) {
  const db::WorkDone& work = figures.work;
  Line line(figures, "Watch");
  line.count("abuse", "abuse report", "abuse reports");
  if (work.done > 0) {
    std::string words = core::plural(work.done, "job", "jobs") + " done";
    if (work.freed.count > 0) words += ", " + core::format_size(work.freed) + " freed";
    if (work.rows > 0) words += ", " + core::plural(work.rows, "row", "rows");
    line.changed(std::move(words));
  }
  if (work.failed > 0) line.changed("⚠ " + core::plural(work.failed, "job", "jobs") + " not complete");
  if (work.stopped > 0) line.changed(core::plural(work.stopped, "job", "jobs") + " stopped");
  if (work.waiting > 0) line.changed(core::plural(work.waiting, "plan waits", "plans wait"));
  if (figures.healthy) line.words("Synapse " + figures.synapse);
  else line.changed("⚠ Synapse " + figures.synapse);
  return line;
}

// The same five, in the same order, every time.
std::vector<Line> five_lines(const ReportFigures& figures) {
  return {database_line(figures), media_line(figures), users_line(figures), rooms_line(figures), work_line(figures)};
}

void add_daily(Answer& answer, const ReportFigures& figures, const std::string& zone) {
  const std::vector<Line> lines = five_lines(figures);
  const bool news = std::any_of(lines.begin(), lines.end(), [](const Line& line) { return line.has_news(); });
  if (figures.before && !news) {
    answer.message.paragraph(fmt::format("Nothing new since {}: {} of database, {}, all servers as they were.", core::format_time(figures.before->taken_at, zone),
                                         bytes_words(figures.value("database_bytes").value_or(0)), core::plural(figures.value("people").value_or(0), "person", "people")));
    return;
  }
  for (const Line& line : lines) answer.message.paragraph(line.text());
}

awaitable<core::Result<void>> add_growth(Answer& answer, const ReportFigures& figures, Context& context) {
  if (figures.days.size() < 2) co_return core::Result<void>();  // the chart's place says so
  const db::DaySize* first = &figures.days.front();
  for (const db::DaySize& one : figures.days)
    if (one.age >= figures.window) first = &one;
  answer.message.paragraph(growth_forecast(*first, figures.value("database_bytes").value_or(0)));
  db::GrowthStore store(*context.services.store_session);
  auto before = co_await store.tables_on(first->day);
  if (!before) co_return core::fail(before.error());
  auto now = co_await measure_tables(*context.services.read);
  if (!now) co_return core::fail(now.error());
  std::size_t shown = 0;
  for (const TableGrowth& growth : compare_sizes(*before, *now)) {
    if (growth.grown() <= 0 || shown == tables_shown) break;
    ++shown;
    matrix::Text text{matrix::bold(core::clean_name(growth.name, 60)),
                      matrix::plain(fmt::format(" {}, now {}", growth_words(growth.grown()), bytes_words(growth.now)))};
    answer.message.entry(std::move(text));
  }
  co_return core::Result<void>();
}

awaitable<core::Result<void>> add_visits(Answer& answer, Context& context) {
  auto chart = co_await visits_chart(days_shown, context);
  if (!chart) co_return core::fail(chart.error());
  if (!chart->labels.empty()) answer.charts.push_back(std::move(*chart));
  co_return core::Result<void>();
}

awaitable<core::Result<void>> add_active(Answer& answer, Context& context) {
  db::Arguments none;
  auto rows = co_await context.services.read->query_within(report_limit, db::sql::report_active_users, std::move(none));
  if (!rows) co_return core::fail(rows.error());
  for (const db::Row& row : *rows) answer.message.entry(fmt::format("{} seen {}", core::format_count(row.integer("users")), row.text("name")));
  co_return core::Result<void>();
}

awaitable<core::Result<void>> add_media(Answer& answer, std::string by, Context& context) {
  const std::int64_t limit = by == "month" ? months_shown : groups_shown;
  auto counted = co_await count_media(by, limit, context);
  if (!counted) co_return core::fail(counted.error());
  if (counted->empty()) co_return core::Result<void>();
  if (by == "month") answer.charts.push_back(month_chart(*counted));
  else answer.charts.push_back(size_chart("media-by-" + by, "Media by " + by, by, "size of the files, local and cached", *counted));
  co_return core::Result<void>();
}

// What is free of each disk and what is not.
void add_disks(Answer& answer, const ReportFigures& figures) {
  if (figures.disks.empty()) return;
  report::Chart chart = size_chart("disks", "Disks", "place", "size", {});
  chart.series = {{"used", {}}, {"free", {}}};
  for (const DiskFigure& disk : figures.disks) {
    chart.labels.push_back(disk.place);
    chart.series[0].values.emplace_back(std::max<std::int64_t>(0, disk.size.count - disk.free.count));
    chart.series[1].values.emplace_back(disk.free.count);
  }
  answer.charts.push_back(std::move(chart));
}

std::chrono::seconds window_of(const std::string& kind) { return kind == "daily" ? day : day * 7; }

// The pictures of each kind; those of the day only when they are asked for.
awaitable<core::Result<void>> add_charts(Answer& answer, std::string kind, const ReportFigures& figures, Context& context) {
  if (kind == "disk") add_disks(answer, figures);
  if (!context.services.read) co_return core::Result<void>();
  const auto size = figures.value("database_bytes");
  if (size && (kind == "daily" || kind == "weekly" || kind == "disk")) add_growth_chart(answer, figures.days, *size);
  core::Result<void> added;
  if (kind == "weekly" || kind == "users") added = co_await add_visits(answer, context);
  for (const char* by : {"type", "server", "month"})
    if (added && kind == "media") added = co_await add_media(answer, by, context);
  co_return added;
}

awaitable<core::Result<void>> add_kind(Answer& answer, std::string kind, const ReportFigures& figures, Context& context) {
  const bool database = context.services.read != nullptr;
  if (kind == "daily") add_daily(answer, figures, context.options().time_zone);
  if (kind == "weekly")
    for (const Line& line : five_lines(figures)) answer.message.paragraph(line.text());
  if (kind == "disk") answer.message.paragraph(database_line(figures).text());
  if (kind == "disk" || kind == "weekly")
    for (const DiskFigure& disk : figures.disks)
      answer.message.paragraph(fmt::format("Disk {}: {} free of {}", disk.place, core::format_size(disk.free), core::format_size(disk.size)));
  if (kind == "media") answer.message.paragraph(media_line(figures).text());
  if (kind == "users") answer.message.paragraph(users_line(figures).text());
  core::Result<void> added;
  if (database && (kind == "weekly" || kind == "disk")) added = co_await add_growth(answer, figures, context);
  if (added && database && kind == "users") added = co_await add_active(answer, context);
  co_return added;
}

awaitable<core::Result<Answer>> tell(Arguments arguments, Context& context) {
  const std::string kind = arguments.has("kind") ? arguments.text("kind") : "daily";
  auto figures = co_await gather_figures(window_of(kind), context);
  if (!figures) co_return core::fail(figures.error());
  Answer answer;
  std::string title = fmt::format("{}{} report · {}", static_cast<char>(kind[0] - 'a' + 'A'), kind.substr(1), context.options().server_name);
  if (figures->before) title += " · since " + core::format_time(figures->before->taken_at, context.options().time_zone);
  answer.message.title(std::move(title));
  auto added = co_await add_kind(answer, kind, *figures, context);
  if (added && (kind != "daily" || arguments.flag("chart"))) added = co_await add_charts(answer, kind, *figures, context);
  if (!added) figures->left_out.push_back(core::describe(added.error()));
  if (!figures->before) answer.message.paragraph("The first report: what changes shows from the next one on.");
  for (const std::string& one : figures->left_out) answer.message.paragraph("Left out: " + one);
  command::DataTable table;
  table.columns = {{"name"}, {"value", true}, {"before", true}};
  for (const auto& [name, value] : figures->now) {
    const auto before = figures->value_before(name);
    table.rows.push_back({name, std::to_string(value), before ? std::to_string(*before) : ""});
  }
  attach(answer, arguments, table, "report");
  const auto full = days_until_full(*figures);
  answer.rings = !figures->healthy || (full && *full <= full_soon);
  co_return answer;
}

}  // namespace

awaitable<core::Result<void>> make_report_schedules(command::Services& services) {
  const std::string mark = "schedules.reports";
  auto made = co_await services.stores->settings.get(mark);
  if (!made) co_return core::fail(made.error());
  if (*made) co_return core::Result<void>();
  const core::Daytime daytime = command::daytime(*services.options);
  auto now = co_await services.stores->schedules.now();
  if (!now) co_return core::fail(now.error());
  std::vector<std::pair<std::string, std::string>> wanted{{"daily report-hours", "report daily"}, {"mon report-hours", "report weekly"}};
  for (auto& [timetable, line] : wanted) {
    db::ScheduleRow schedule;
    schedule.next_run = core::next_run(*core::parse_timetable(timetable), *now, daytime);
    schedule.timetable = std::move(timetable);
    schedule.line = std::move(line);
    auto added = co_await services.stores->schedules.add(std::move(schedule));
    if (!added) co_return core::fail(added.error());
  }
  co_return co_await services.stores->settings.put(mark, "made");
}

Command report() {
  Command command;
  command.spec.name = "report";
  command.spec.alias = "r";
  command.spec.group = command::Group::schedules;
  command.spec.summary = "How the server is and what changed";
  command.spec.personal_data = false;
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command::Argument kind = command::optional_positional("kind", Type::choice, "what it is about; daily when nothing is named");
  kind.choices = {"daily", "weekly", "disk", "media", "users"};
  command.spec.arguments = {std::move(kind), command::standard::chart(), command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"report", "the five lines of the day"}, {"report weekly", "with pictures of the growth and of the people by day"}};
  command.manual = manual("report");
  command.answer = tell;
  return command;
}

}  // namespace steward::commands
