#include "commands/listing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command/data_table.hpp"
#include "commands/database_reports.hpp"
#include "core/units.hpp"

namespace steward::commands {

using boost::asio::awaitable;

namespace {

constexpr std::int64_t last_page = 1'000'000'000;  // the offset stays a number that PostgreSQL takes

std::int64_t pages(std::int64_t total) { return (total + page_rows - 1) / page_rows; }

}  // namespace

ListPage page_of(const command::Arguments& arguments, const command::Context& context) {
  ListPage page;
  if (arguments.flag("csv") || arguments.flag("json") || (context.as_data && !arguments.has("page"))) {
    page.limit = std::min(arguments.integer("limit").value_or(rows_in_file), rows_in_file);
    return page;
  }
  page.number = std::clamp<std::int64_t>(arguments.integer("page").value_or(1), 1, last_page);
  page.limit = std::min(arguments.integer("limit").value_or(page_rows), page_rows);
  page.offset = (page.number - 1) * page_rows;
  return page;
}

std::size_t in_card(std::size_t found) { return std::min(found, static_cast<std::size_t>(page_rows)); }

std::string page_title(const std::string& counted, const std::string& none, const ListPage& page, std::int64_t total) {
  if (total == 0) return none;
  if (page.offset >= total) return fmt::format("{} · there is no page {}, the last is {}", counted, page.number, core::format_count(pages(total)));
  if (pages(total) == 1) return counted;
  return fmt::format("{} · page {} of {}", counted, page.number, core::format_count(pages(total)));
}

void tell_next_page(command::Answer& answer, const ListPage& page, std::int64_t total) {
  if (page.number < pages(total)) answer.message.paragraph(fmt::format("The rest: --page {}, or all as a file: --csv", page.number + 1));
}

awaitable<core::Result<void>> keep_handles(char letter, std::vector<std::string> ids, command::Context& context) {
  if (ids.empty()) co_return core::Result<void>();
  auto stored = co_await context.stores().settings.set_handles(context.asker, letter, std::move(ids));
  if (!stored) co_return core::fail(stored.error());
  co_return core::Result<void>();
}

void Sheet::add(std::string label, std::string value) {
  if (!value.empty()) rows_.push_back({std::move(label), std::move(value)});
}

void Sheet::into(command::Answer& answer) const {
  command::DataTable table;
  table.columns = {{"field"}, {"value"}};
  for (const std::vector<std::string>& row : rows_) {
    answer.message.paragraph(matrix::field(row[0], row[1]));
    table.rows.push_back(row);
  }
  answer.json = command::to_json(table);
}

}  // namespace steward::commands
