// Whether Synapse has really taken the content out of a stored event. Used by clean-redacted, because the database's own mark
// (redactions.have_censored) is also set for redactions that Synapse refused. Pure, any thread.
#pragma once

#include <string_view>

namespace steward::matrix {

// `event_json` as in event_json.json: true only when what is left is what a redaction leaves. Nothing is true that cannot be
// read, such as broken JSON or a lone surrogate: no proof, the event keeps what it has.
bool is_censored(std::string_view event_json);

}  // namespace steward::matrix
