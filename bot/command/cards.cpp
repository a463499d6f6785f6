#include "command/cards.hpp"

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/units.hpp"

namespace steward::command {

using matrix::Message;

namespace {

constexpr std::size_t kept_shown = 8;

void add_kept(Message& message, const jobs::Plan& plan) {
  if (plan.kept.empty()) return;
  std::vector<std::string> parts;
  for (const jobs::Kept& kept : plan.kept) {
    if (parts.size() == kept_shown) {
      parts.push_back(fmt::format("{} more reasons", plan.kept.size() - kept_shown));
      break;
    }
    std::string part = core::format_count(kept.count) + " " + kept.text;
    if (!kept.examples.empty()) part += " (" + kept.examples.front() + (kept.count > 1 ? ", …" : "") + ")";
    parts.push_back(std::move(part));
  }
  message.paragraph(matrix::field("Kept", core::join(parts, "; ")));
}

void add_body(Message& message, const jobs::Plan& plan, const Spec& spec) {
  message.paragraph(plan.title);
  message.lines(plan.lines);
  add_kept(message, plan);
  if (!plan.level_reason.empty()) message.paragraph(matrix::field("Level raised", plan.level_reason));
  if (!spec.safe_while_running.empty()) message.paragraph(matrix::field("Safe while Synapse runs", spec.safe_while_running));
}

std::string job_name(const db::JobRow& job) { return fmt::format("Job {} · {}", job.number, job.command); }

std::string sign(const db::JobRow& job) {
  if (job.state == "done") return "✅ ";
  if (job.state == "stopped" || job.state == "void") return "🛑 ";
  if (job.state == "failed") return "❌ ";
  return "⏳ ";
}

std::string state_words(const db::JobRow& job) {
  if (job.state == "done") return "done";
  if (job.state == "stopped") return job.reason.empty() ? "stopped" : "stopped, " + job.reason;
  if (job.state == "failed") return "not complete";
  return job.state;
}

}  // namespace

std::string confirmation_word(const jobs::Plan& plan) {
  return plan.word.empty() ? std::to_string(plan.items.size()) : plan.word;
}

std::string confirmation_words(std::int64_t number, const jobs::Plan& plan) {
  return plan.level >= static_cast<int>(Level::destroys) ? fmt::format("yes {} {}", number, confirmation_word(plan))
                                                          : fmt::format("yes {}", number);
}

Message plan_card(std::int64_t number, const jobs::Plan& plan, const Spec& spec, bool needs_second_admin) {
  Message message;
  message.title(fmt::format("Plan {} · {} · {}", number, plan.command, word(static_cast<Level>(plan.level))));
  add_body(message, plan, spec);
  if (needs_second_admin) message.paragraph("Another admin than the asker must confirm this one.");
  if (plan.level >= static_cast<int>(Level::destroys)) {
    message.paragraph("To do it, type within 10 minutes:");
    message.preformatted(confirmation_words(number, plan));
    message.paragraph("❌ declines it.");
  } else {
    message.paragraph(fmt::format("❌ no · ✅ yes, or reply “yes”, or type “yes {}”, within 10 minutes.", number));
  }
  return message;
}

Message dry_run_card(const jobs::Plan& plan, const Spec& spec) {
  Message message;
  message.title(fmt::format("Dry run · {} · nothing is changed", plan.command));
  add_body(message, plan, spec);
  return message;
}

Message nothing_to_do_card(const jobs::Plan& plan) {
  Message message;
  message.title("Nothing to do · " + plan.command);
  message.paragraph(plan.title);
  message.lines(plan.lines);
  return message;
}

Message closed_card(std::int64_t number, const std::string& command, const std::string& why) {
  Message message;
  message.title(fmt::format("Plan {} · {} · {}", number, command, why));
  message.paragraph("Nothing of it runs.");
  return message;
}

Message job_card(const db::JobRow& job, const std::string& header, const std::string& notice) {
  Message message;
  const bool ended = job.state == "done" || job.state == "failed" || job.state == "stopped" || job.state == "void";
  message.title(sign(job) + job_name(job) + " · " + (ended ? state_words(job) : header));
  if (ended && !header.empty()) message.paragraph(header);
  if (!notice.empty()) message.preformatted(notice);
  if (!ended) message.paragraph(fmt::format("🛑 or !cancel {} stops it, ⏸ or !pause {} holds it.", job.number, job.number));
  return message;
}

Message receipt_card(const db::JobRow& job, const jobs::Receipt& receipt) {
  Message message;
  message.title(sign(job) + job_name(job) + " · " + state_words(job));
  message.paragraph(receipt.title);
  message.lines(receipt.lines);
  if (!job.confirmed_by.empty() && job.confirmed_by != job.asker)
    message.paragraph(matrix::field("Confirmed by", job.confirmed_by.str()));
  if (job.state == "stopped" || job.state == "failed")
    message.paragraph(fmt::format("!{} {} works on what is left. !log {} has every line.", job.state == "stopped" ? "resume" : "retry",
                                  job.number, job.number));
  return message;
}

Message error_card(const core::Error& error) {
  Message message;
  // A parse error brings several lines, the caret among them: those keep their columns.
  const std::size_t first_break = error.what.find('\n');
  message.title("❌ " + error.what.substr(0, first_break));
  if (first_break != std::string::npos) message.preformatted(error.what.substr(first_break + 1));
  if (!error.why.empty()) message.paragraph(error.why + (error.source.empty() ? "" : " (" + error.source + ")"));
  if (!error.next.empty()) message.paragraph(error.next);
  return message;
}

}  // namespace steward::command
