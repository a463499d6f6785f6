// Writes the items of a new job. Inside db only: JobStore::create in job_store.cpp, the rest of the items in item_store.cpp.
// Session thread.
#pragma once

#include <vector>

#include "db/store.hpp"

namespace steward::db {

// In the given order, positions as the rows say; several statements of a few thousand rows each.
core::Result<void> insert_items(Transaction& transaction, std::int64_t job, const std::vector<ItemRow>& items);

}  // namespace steward::db
