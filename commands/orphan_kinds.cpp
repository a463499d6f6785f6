#include "commands/orphan_kinds.hpp"

#include <algorithm>

#include "sql/statements.hpp"

namespace steward::commands {

namespace {

namespace sql = db::sql;
using enum OrphanCare;
using std::chrono::hours;

constexpr std::string_view no_rejoin = "their rooms cannot be joined again (HTTP 500)";
constexpr std::string_view no_history = "their rooms' history cannot be filled again";
constexpr std::string_view chains = "Synapse computes the chains of new events from them while it runs";
constexpr std::string_view memberships = "Synapse keeps memberships in memory";

// Written in the transaction of their event (Synapse's storage/databases/main/events.py), so they may go while it runs.
OrphanKind of_event(std::string_view table, std::string_view what, std::string_view breaks, std::string_view key = "event_id") {
  return {table, table, key, "text", &sql::orphans_of_events, &sql::orphans_of_events_clean, live, what, breaks};
}
OrphanKind of_room(std::string_view table, std::string_view what, std::string_view breaks) {
  return {table, table, "room_id", "text", &sql::orphans_of_rooms, &sql::orphans_of_rooms_clean, live, what, breaks};
}
OrphanKind of_group(std::string_view table, std::string_view what, std::string_view breaks, int since = 0) {
  return {table, table, "state_group", "int8", &sql::orphans_of_groups, &sql::orphans_of_groups_clean, live, what, breaks, {}, hours(0), since};
}

}  // namespace

const std::vector<OrphanKind>& orphan_kinds() {
  static const std::vector<OrphanKind> kinds{
      of_event("event_search", "search entries of events that are gone", no_rejoin),
      of_event("room_retention", "retention rules of events that are gone", no_rejoin, "room_id"),
      of_event("event_labels", "labels of events that are gone", no_history),
      of_event("event_json", "content of events that are gone", no_rejoin),
      of_event("event_edges", "links between events that are gone", no_rejoin),
      of_event("state_events", "state events that are gone", no_rejoin),
      of_event("event_relations", "relations of events that are gone", no_history),
      of_event("rejections", "rejections of events that are gone", no_history),
      of_event("event_expiry", "expiry of events that are gone", no_history),
      of_event("redactions", "redactions whose event is gone", "a new copy of an event may count as redacted"),
      of_event("event_auth", "auth links of events that are gone", ""),
      of_event("event_push_actions", "unread marks of events that are gone", "unread counts that never go away", "room_id"),
      of_event("event_auth_chain_to_calculate", "events that are gone and wait for their auth chain", "Synapse looks at them at each join"),
      {"event_to_state_groups", "event_to_state_groups", "event_id", "text", &sql::orphans_of_mappings, &sql::orphans_of_mappings_clean, live,
       "state groups of events that are gone", "their state groups are never deleted"},
      of_room("threads", "threads of rooms that are gone", ""),
      of_room("room_stats_current", "statistics of rooms that are gone", "rooms in the room list that are not there"),
      of_room("room_stats_state", "names of rooms that are gone", "rooms in the room list that are not there"),
      of_room("room_stats_earliest_token", "statistics of rooms that are gone", ""),
      of_room("event_push_summary", "unread counts of rooms that are gone", "unread counts that never go away"),
      of_room("room_depth", "depths of rooms that are gone", ""),
      of_room("event_backward_extremities", "missing history of rooms that are gone", ""),
      of_room("stream_ordering_to_exterm", "extremities of rooms that are gone", ""),
      of_room("users_in_public_rooms", "members of rooms that are gone, in the user directory", "people stay visible to others"),
      of_room("users_who_share_private_rooms", "members of rooms that are gone, in the user directory", "people stay visible to others"),
      {"room_alias_servers", "room_alias_servers", "room_alias", "text", &sql::orphans_of_aliases, &sql::orphans_of_aliases_clean, live,
       "servers of aliases that are gone", ""},
      {"state_groups", "state_groups", "id", "int8", &sql::orphans_state_groups, &sql::orphans_state_groups_clean, live,
       "state groups of rooms that are gone", "no clean-up of Synapse's finds them"},
      of_group("state_groups_state", "state of state groups that are gone", ""),
      of_group("state_group_edges", "links of state groups that are gone", ""),
      of_group("state_groups_pending_deletion", "state groups to be deleted that are gone", "Synapse's queue never empties", 89),
      {"device_inbox", "device_inbox", "user_id", "text", &sql::orphans_of_devices, &sql::orphans_of_devices_clean, live,
       "messages to devices that are gone", ""},
      {"open_id_tokens", "open_id_tokens", "ts_valid_until_ms", "int8", &sql::orphans_expired, &sql::orphans_expired_clean, live,
       "OpenID tokens that expired more than a day ago", "", {}, hours(24)},
      {"user_daily_visits", "user_daily_visits", "timestamp", "int8", &sql::orphans_expired, &sql::orphans_expired_clean, live,
       "daily visits older than 120 days; Synapse reads 60", "", {}, hours(24 * 120)},
      {"reserved_media", "local_media_repository", "media_id", "text", &sql::orphans_of_uploads, &sql::orphans_of_uploads_clean, live,
       "media reserved more than 48 hours ago and never uploaded", "", {}, hours(48)},

      {"event_auth_chains", "event_auth_chains", "event_id", "text", &sql::orphans_of_events, &sql::orphans_of_events_clean, stopped,
       "auth chains of events that are gone", "", chains},
      {"event_auth_chain_links", "event_auth_chain_links", "origin_chain_id", "int8", &sql::orphans_of_links, &sql::orphans_of_links_clean, stopped,
       "links of auth chains that are gone", "", chains},
      {"room_memberships", "room_memberships", "event_id", "text", &sql::orphans_of_events, &sql::orphans_of_events_clean, stopped,
       "memberships whose event is gone", "people seem to be in rooms that are gone", memberships},
      {"local_current_membership", "local_current_membership", "room_id", "text", &sql::orphans_of_events, &sql::orphans_of_events_clean, stopped,
       "current memberships whose event is gone", "clients fail to load rooms that are gone", memberships},
      {"current_state_events", "current_state_events", "room_id", "text", &sql::orphans_of_events, &sql::orphans_of_events_clean, stopped,
       "current state whose event is gone", "rooms seem to be there that are gone", "Synapse keeps the current state in memory"},
      {"federation_inbound_events_staging", "federation_inbound_events_staging", "room_id", "text", &sql::orphans_of_rooms,
       &sql::orphans_of_rooms_clean, stopped, "received events of rooms that are gone", "Synapse tries them again at each start",
       "they are stored before their event"},

      {"dangling_edges", "state_group_edges", "state_group", "int8", &sql::orphans_dangling, nullptr, never,
       "state groups whose base is gone", "the state of these rooms is incomplete",
       "taking the link away would hide the damage, not mend it: only a backup has what is missing"},
      {"current_state_delta_stream", "current_state_delta_stream", "stream_id", "int8", &sql::orphans_of_rooms, nullptr, never,
       "changes of state in rooms that are gone", "", "a stream that Synapse reads in order; nothing says what was read by all"},
      {"e2e_room_keys", "e2e_room_keys", "user_id", "text", &sql::orphans_of_rooms, nullptr, never, "backed-up keys to rooms that are gone", "",
       "they are people's own, and the only way to read the room elsewhere or after joining it again"},
      {"event_reports", "event_reports", "id", "int8", &sql::orphans_of_events, nullptr, never, "reports of events that are gone", "",
       "evidence of abuse; Synapse keeps it on purpose"},
      {"access_tokens", "access_tokens", "valid_until_ms", "int8", &sql::orphans_expired, nullptr, never, "access tokens that have expired", "",
       "an expired token logs a client out softly; without the row the client wipes its encryption keys"},
      {"refresh_tokens", "refresh_tokens", "expiry_ts", "int8", &sql::orphans_expired, nullptr, never, "refresh tokens that have expired", "",
       "the same, and their numbers would be given again"},
  };
  return kinds;
}

const OrphanKind* find_orphan_kind(std::string_view name) {
  const auto& kinds = orphan_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(), [name](const OrphanKind& kind) { return kind.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

std::string_view words(OrphanCare care) {
  switch (care) {
    case OrphanCare::live: return "cleaned while Synapse runs";
    case OrphanCare::stopped: return "only with Synapse stopped";
    case OrphanCare::never: return "never";
  }
  return "";
}

}  // namespace steward::commands
