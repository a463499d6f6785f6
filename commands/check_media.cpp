// check-media: rows without a file, files without a row, where the bot may read Synapse's media folder (media.path). Both sides are gone
// through in parts, so that a million of them need no memory. Reads only. I/O thread; SQL on the read session, the folder on the
// compute thread. The manual page is check_media.md.
#include <fmt/format.h>

#include <set>

#include "async/work_thread.hpp"
#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/database_reports.hpp"
#include "commands/media_folder.hpp"
#include "core/text.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Arguments;
using command::Command;
using command::Context;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t page_of_rows = 5000;
constexpr std::size_t part_of_files = 5000;
constexpr auto least_age = std::chrono::minutes(10);
constexpr std::size_t shown = 5;

struct Odd {
  std::string kind, what;
  std::int64_t bytes = 0;
};

struct Findings {
  std::int64_t rows = 0, files = 0, unreadable = 0;
  std::int64_t lost = 0, other_size = 0, nobodys = 0;
  core::Bytes nobodys_bytes;
  std::vector<Odd> odd;  // at most what a file of the answer holds
  void note(Odd one) {
    if (odd.size() < static_cast<std::size_t>(rows_in_file)) odd.push_back(std::move(one));
  }
};

struct Row {
  std::string origin, media_id, file_id;
  std::int64_t bytes = 0;
  bool preview = false;
};

// On the compute thread.
void look_for_files(const fs::path& folder, const std::vector<Row>& rows, const std::string& server_name, Findings& findings) {
  for (const Row& row : rows) {
    ++findings.rows;
    const std::string mxc = core::MediaId{row.origin.empty() ? server_name : row.origin, row.media_id}.str();
    const auto path = file_of(row.origin, row.file_id, row.preview);
    std::error_code error;
    const auto size = path ? fs::file_size(folder / *path, error) : 0;
    if (!path || error) {
      ++findings.lost;
      findings.note({"row without a file", mxc, row.bytes});
    } else if (static_cast<std::int64_t>(size) != row.bytes) {
      ++findings.other_size;
      findings.note({"file of another size", mxc, static_cast<std::int64_t>(size)});
    }
  }
}

awaitable<core::Result<void>> check_rows(const db::Statement& statement, fs::path folder, Findings& findings, Context& context) {
  std::string after_origin, after_id;
  for (;;) {
    db::Arguments bound;
    bound.emplace_back("after_origin", after_origin);
    bound.emplace_back("after_id", after_id);
    bound.emplace_back("limit", db::bind(page_of_rows));
    auto page = co_await context.services.read->query_within(report_limit, statement, std::move(bound));
    if (!page) co_return core::fail(page.error());
    if (page->empty()) co_return core::Result<void>();
    std::vector<Row> rows;
    for (const db::Row& row : *page)
      rows.push_back({row.text("origin"), row.text("media_id"), row.text("file_id"), row.integer("bytes"), row.boolean("preview")});
    after_origin = rows.back().origin;
    after_id = rows.back().media_id;
    auto work = [&folder, &rows, &findings, server = context.options().server_name] {
      look_for_files(folder, rows, server, findings);
      return true;
    };
    auto looking = async::on_thread(*context.services.compute, std::move(work));
    co_await std::move(looking);
  }
}

awaitable<core::Result<std::set<std::string>>> known_of(const std::vector<FoundFile>& files, Context& context) {
  std::vector<std::string> ids;
  for (const FoundFile& file : files) ids.insert(ids.end(), file.ids.begin(), file.ids.end());
  const std::string origin = files.front().origin;
  db::Arguments bound;
  bound.emplace_back("ids", db::bind_array(ids));
  bound.emplace_back("origin", origin);
  const db::Statement& statement = origin.empty() ? db::sql::media_known_local : db::sql::media_known_remote;
  auto rows = co_await context.services.read->query_within(report_limit, statement, std::move(bound));
  if (!rows) co_return core::fail(rows.error());
  std::set<std::string> known;
  for (const db::Row& row : *rows) known.insert(row.text("file_id"));
  co_return known;
}

awaitable<core::Result<void>> check_files(fs::path folder, Findings& findings, Context& context) {
  MediaWalk walk(std::move(folder), least_age);
  for (;;) {
    auto work = [&walk] { return walk.next(part_of_files); };
    auto walking = async::on_thread(*context.services.compute, std::move(work));
    const std::vector<FoundFile> files = co_await std::move(walking);
    findings.files = walk.seen();
    findings.unreadable = walk.unreadable();
    if (files.empty()) co_return core::Result<void>();
    auto known = co_await known_of(files, context);
    if (!known) co_return core::fail(known.error());
    for (const FoundFile& file : files) {
      if (std::any_of(file.ids.begin(), file.ids.end(), [&](const std::string& id) { return known->contains(id); })) continue;
      ++findings.nobodys;
      findings.nobodys_bytes += core::Bytes{file.bytes};
      findings.note({"file without a row", file.path.string(), file.bytes});
    }
  }
}

core::Result<fs::path> folder_of(const Context& context) {
  const fs::path folder = context.options().media_path;
  if (folder.empty())
    return core::fail(core::Code::not_found, "The bot does not know where the media are", {}, "set media.path in steward.yaml to Synapse's media_store_path, readable to the bot");
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  if (error) return core::fail(core::Code::not_allowed, "The bot may not read " + folder.string(), error.message(), "give its account the right to read it (a group, or setfacl)");
  return folder;
}

void tell(Answer& answer, const Findings& findings) {
  const bool good = findings.lost + findings.other_size + findings.nobodys == 0;
  answer.message.title(fmt::format("{} Media: {}, {}", good ? "✅" : "⚠", core::plural(findings.rows, "row", "rows"), core::plural(findings.files, "file", "files")));
  if (good) answer.message.paragraph("Every row has its file, every file its row.");
  if (findings.lost > 0) answer.message.paragraph(core::plural(findings.lost, "row", "rows") + " without a file: no loss where a storage provider has it; else it cannot be shown any more");
  if (findings.other_size > 0) answer.message.paragraph(core::plural(findings.other_size, "file", "files") + " of another size than its row says");
  if (findings.nobodys > 0)
    answer.message.paragraph(fmt::format("{} without a row, {}: nobody can ask for them, Synapse will never delete them", core::plural(findings.nobodys, "file", "files"),
                                         core::format_size(findings.nobodys_bytes)));
  if (findings.unreadable > 0) answer.message.paragraph(core::plural(findings.unreadable, "folder", "folders") + " could not be read");
  for (std::size_t index = 0; index < std::min(findings.odd.size(), shown); ++index) {
    const Odd& odd = findings.odd[index];
    matrix::Text text{matrix::plain(odd.kind + ": "), matrix::code(core::clean_name(odd.what, 120)), matrix::plain(", " + core::format_size(core::Bytes{odd.bytes}))};
    answer.message.entry(std::move(text));
  }
  if (findings.odd.size() > shown) answer.message.paragraph("All of them as a file: --csv");
}

awaitable<core::Result<Answer>> check(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto folder = folder_of(context);
  if (!folder) co_return core::fail(folder.error());
  Findings findings;
  for (const db::Statement* statement : {&db::sql::media_files_local, &db::sql::media_files_remote}) {
    auto checked = co_await check_rows(*statement, *folder, findings, context);
    if (!checked) co_return core::fail(checked.error());
  }
  auto checked = co_await check_files(*folder, findings, context);
  if (!checked) co_return core::fail(checked.error());
  Answer answer;
  tell(answer, findings);
  command::DataTable table;
  table.columns = {{"kind"}, {"what"}, {"bytes", true}};
  for (const Odd& odd : findings.odd) table.rows.push_back({odd.kind, odd.what, std::to_string(odd.bytes)});
  attach(answer, arguments, table, "media");
  co_return answer;
}

}  // namespace

Command check_media() {
  Command command;
  command.spec.name = "check-media";
  command.spec.group = command::Group::media;
  command.spec.summary = "Rows without a file, files without a row";
  command.spec.safe_while_running = "yes; it reads every row and looks at every file";
  command.spec.sources = "S H";
  command.spec.arguments = {command::standard::as_csv(), command::standard::as_json()};
  command.spec.examples = {{"check-media", ""}, {"check-media --csv", "all that was found as a file"}};
  command.manual = manual("check_media");
  command.answer = check;
  return command;
}

}  // namespace steward::commands
