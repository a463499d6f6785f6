// What check-orphans looks for and clean-orphans takes: a kind is one table, one reason why a row of it belongs to nothing, what that
// breaks and whether it may go while Synapse runs. Used by orphan_scan.cpp and the two commands. Plain data, any thread.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "db/statement.hpp"

namespace steward::commands {

enum class OrphanCare {
  live,     // goes while Synapse runs
  stopped,  // only with every process of Synapse stopped
  never     // only shown
};

struct OrphanKind {
  std::string_view name;             // what the journal calls it; the table's where it has one kind only
  std::string_view table, key, type; // `key`: the indexed column by which it is read in pages; `type`: text or int8
  const db::Statement* find = nullptr;
  const db::Statement* clean = nullptr;  // nullptr: there is no way
  OrphanCare care = OrphanCare::live;
  std::string_view what;             // "search entries of events that are gone"
  std::string_view breaks;           // what they do: "their room cannot be joined again"; "" for nothing but space
  std::string_view why = {};         // why not now, for stopped and never
  std::chrono::hours age{0};         // of the kinds that go by a time
  int since = 0;                     // the schema version that brought the table, 0: older than all supported
};

// In the order in which they are cleaned: a kind that leaves others behind comes before them.
const std::vector<OrphanKind>& orphan_kinds();
const OrphanKind* find_orphan_kind(std::string_view name);  // nullptr: none of that name

std::string_view words(OrphanCare care);  // "cleaned while Synapse runs"

}  // namespace steward::commands
