// An SQL statement of somebody else as it may be shown: without what it carries. Access tokens, passwords and messages stand as
// literals in the statements of Synapse, so only the shape is left. Used by commands that show pg_stat_activity. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace steward::core {

// Literals (strings of every form, numbers) become "?", lists of them "?, …", comments go, white space folds to one blank.
// Errs to the safe side: what cannot be read for certain (a cut or oddly quoted literal) hides the rest of the statement.
std::string without_literals(std::string_view statement);

}  // namespace steward::core
