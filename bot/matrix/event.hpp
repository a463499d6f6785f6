// An event as the bot reads it: flattened out of JSON once, in event.cpp, so that nobody above touches raw JSON.
// Used by appservice, client (fetched events, history), room. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace steward::matrix {

struct Event {
  core::EventId event_id;
  core::RoomId room_id;
  core::UserId sender;
  std::string type;
  std::optional<std::string> state_key;  // present: a state event
  std::chrono::milliseconds age{};       // unsigned.age, zero when absent
  std::int64_t origin_server_ts = 0;     // the sender's clock: never trusted
  std::string transaction_id;            // unsigned.transaction_id (own events)
  bool redacted = false;                 // unsigned.redacted_because, or empty content of a message
  bool soft_failed = false;              // io.element.synapse.soft_failed, policy_server_spammy or spam_checker_spammy

  // content, where present and of the right type (else empty)
  std::string msgtype, body, formatted_body;
  std::string relation_type;           // m.relates_to.rel_type: m.replace, m.annotation, m.thread
  core::EventId relates_to;            // m.relates_to.event_id
  std::string reaction_key;            // m.relates_to.key
  core::EventId in_reply_to;           // m.relates_to.m.in_reply_to.event_id
  bool has_new_content = false;        // m.new_content: an edit
  core::EventId redacts;               // of m.room.redaction (content or top level)
  std::vector<core::UserId> mentions;  // m.mentions.user_ids
  std::string membership;              // of m.room.member
  std::string join_rule, encryption_algorithm, history_visibility,
      replacement_room;             // of the state events that carry them
  std::string command_description;  // org.matrix.msc4391.command as JSON text, empty when absent

  // of an invitation: stripped state
  struct Invitation {
    std::string join_rule;
    bool encrypted = false;
    std::string room_type;
    std::string creator;
  };
  std::optional<Invitation> invitation;

  std::string json;  // the whole event, compact; what the inbox stores
};

// One event of a transaction or answer. protocol when it has no event_id, room_id, sender or type of the right kind:
// the caller logs it and goes on, a malformed event never stops the others.
core::Result<Event> parse_event(std::string_view json);

// All events of a transaction body `{"events":[…]}`; broken ones are left out and counted.
struct Batch {
  std::vector<Event> events;
  int broken = 0;
  std::size_t passed_over = 0;  // events that concern nobody here and were not read (Appservice::only)
};
// bad_input when the body is not a JSON object.
core::Result<Batch> parse_transaction(std::string_view body);

}  // namespace steward::matrix
