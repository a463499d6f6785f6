// How plans, jobs, receipts and errors look in the room and on the terminal. Pure rendering; used by plans and dispatcher. Any thread.
#pragma once

#include <string>

#include "command/command.hpp"
#include "core/error.hpp"
#include "db/store.hpp"
#include "jobs/plan.hpp"
#include "matrix/message.hpp"

namespace steward::command {

// "Plan 41 · clean-rooms · deletes for good", the promise, what is kept, how to confirm. `dry_run`: without number and words.
matrix::Message plan_card(std::int64_t number, const jobs::Plan& plan, const Spec& spec, bool needs_second_admin);
matrix::Message dry_run_card(const jobs::Plan& plan, const Spec& spec);
matrix::Message nothing_to_do_card(const jobs::Plan& plan);
// The card once it can no longer be confirmed: "Plan 41 · declined by @ann:hs".
matrix::Message closed_card(std::int64_t number, const std::string& command, const std::string& why);

// The live message: "Job 41 · clean-rooms · 14/46 · 38 % · 2 min left" and the last NOTICE line.
matrix::Message job_card(const db::JobRow& job, const std::string& header, const std::string& notice);
// The new message at the end; names who confirmed when it was not the asker.
matrix::Message receipt_card(const db::JobRow& job, const jobs::Receipt& receipt);

matrix::Message error_card(const core::Error& error);

// What a person types to confirm a level-4 plan: "yes 41 212".
std::string confirmation_words(std::int64_t number, const jobs::Plan& plan);
// plan.word, or the number of items.
std::string confirmation_word(const jobs::Plan& plan);

}  // namespace steward::command
