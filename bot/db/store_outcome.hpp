// How the stores turn rows into what they promise. Inside db only, I/O thread.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "core/units.hpp"
#include "db/session.hpp"

namespace steward::db {

inline core::Result<void> nothing(const core::Result<Rows>& rows) {
  if (!rows) return core::fail(rows.error());
  return {};
}

// Whether the statement touched a row: it returns those that it did.
inline core::Result<bool> any(const core::Result<Rows>& rows) {
  if (!rows) return core::fail(rows.error());
  return !rows->empty();
}

// A column of milliseconds since 1970; NULL: no such time.
inline std::optional<core::TimePoint> time_from(const Row& row, const char* column) {
  const auto ms = row.optional_integer(column);
  if (!ms) return std::nullopt;
  return core::from_unix_ms(*ms);
}

template <class Read>  // T (const Row&)
core::Result<std::optional<std::invoke_result_t<Read&, const Row&>>> first_of(const core::Result<Rows>& rows, Read read) {
  using Found = std::invoke_result_t<Read&, const Row&>;
  if (!rows) return core::fail(rows.error());
  if (rows->empty()) return std::optional<Found>();
  return std::optional<Found>(read(rows->front()));
}

template <class Read>
core::Result<std::vector<std::invoke_result_t<Read&, const Row&>>> all_of(const core::Result<Rows>& rows, Read read) {
  if (!rows) return core::fail(rows.error());
  std::vector<std::invoke_result_t<Read&, const Row&>> values;
  values.reserve(rows->size());
  for (const Row& row : *rows) values.push_back(read(row));
  return values;
}

}  // namespace steward::db
