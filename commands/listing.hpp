// The page of a long list: what to ask the database for, and how the card says where it stands; and the card about one thing. Used by
// the commands over rooms and media. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "command/command.hpp"
#include "command/context.hpp"

namespace steward::commands {

inline constexpr std::int64_t page_rows = 10;  // of a card

struct ListPage {
  std::int64_t number = 1;
  std::int64_t limit = page_rows, offset = 0;  // what to ask for
};

// A file (--csv, --json) and a program (steward exec --json) get every row from the first on, at most --limit or what a file holds.
ListPage page_of(const command::Arguments& arguments, const command::Context& context);
// How many of `found` rows the card shows.
std::size_t in_card(std::size_t found);
// "41 files · page 2 of 5", or that there is no such page; `none` when the list is empty.
std::string page_title(const std::string& counted, const std::string& none, const ListPage& page, std::int64_t total);
// How to get the rest.
void tell_next_page(command::Answer& answer, const ListPage& page, std::int64_t total);

// The handles m1, m2 … (or r, u) of the list that the asker is shown now.
boost::asio::awaitable<core::Result<void>> keep_handles(char letter, std::vector<std::string> ids, command::Context& context);

// The card about one thing. Card and table hold the same; empty values are left out.
class Sheet {
 public:
  void add(std::string label, std::string value);
  void into(command::Answer& answer) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace steward::commands
