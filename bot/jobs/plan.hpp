// Plan, items and receipt: what a command promises, what it acts on, what came of it. A plan and its job are one row in the
// journal; the items are frozen with it and only ever leave the list. Used by commands, command, jobs. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/units.hpp"

namespace steward::jobs {

// One target. `kind` and `target` are the command's own; `note` carries what it needs to act (text or JSON).
struct Item {
  std::string kind;
  std::string target;
  std::string label;  // for people, already cleaned by core::clean_name where it comes from outside
  core::Bytes bytes;
  std::int64_t rows = 0;
  std::string note;
};

// What the selection met and left alone, with its reason; shown and counted in the card.
struct Kept {
  std::string reason;  // the machine's word, which is also the word of --include: "left"
  std::string text;    // for people: "left but not forgotten"
  std::int64_t count = 0;
  core::Bytes bytes;
  std::vector<std::string> examples;  // at most three labels
};

struct Plan {
  std::string command;             // canonical name
  std::string title;               // "212 of 1 940 rooms have no local member"
  int level = 3;                   // effective: the command's, raised by flags or size
  std::string level_reason;        // why it was raised, empty else
  std::vector<std::string> lines;  // card lines, "Label: value" or a sentence
  std::vector<Kept> kept;
  std::vector<Item> items;
  core::Bytes bytes;
  bool bytes_exact = true;         // else shown with ≈
  std::int64_t rows = 0;
  std::string word;                // level 4: what a person must type; empty: the number of items
  std::string undo;                // level 1: the command that takes it back
  std::vector<std::string> locks;  // "room:!id", "table:events": names nobody else may hold meanwhile
  bool needs_writer = false;       // takes the writer lock in Synapse's database
  std::string own_update;          // a background update of Synapse that the job itself queues: pending, it is no reason to refuse
  bool needs_synapse = true;       // false: works on a stopped Synapse's tables, so no message of the bot can prove the database
  bool changes_data = true;        // false: acts on the machine, so neither the schema nor a backup holds it up
  bool second_admin = false;       // another admin than the asker must confirm, whatever the config says
  std::map<std::string, std::string> parameters;  // what run() needs beside the items; "schedule": whose run it is
  std::string confirmed_by;        // by whom it was confirmed before it was made: a schedule's run within its cap; not encoded
};

struct Receipt {
  std::string title;               // "1 204 files, 3.1 GB freed"
  std::vector<std::string> lines;  // what was done, kept and why, left over, verified
  bool complete = true;            // everything of the plan was done or knowingly kept
};

inline constexpr int plan_version = 1;
// JSON without the items (they are rows of their own). decode: protocol for an unknown version or broken JSON: such a plan
// is `interrupted`, never guessed.
std::string encode_plan(const Plan& plan);
core::Result<Plan> decode_plan(const std::string& json);
std::string encode_receipt(const Receipt& receipt);
core::Result<Receipt> decode_receipt(const std::string& json);

}  // namespace steward::jobs
