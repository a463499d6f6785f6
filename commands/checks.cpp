#include "commands/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/database_reports.hpp"
#include "core/text.hpp"

namespace steward::commands {

using command::Answer;

namespace {

const char* sign(Verdict verdict) { return verdict == Verdict::good ? "✅" : verdict == Verdict::look ? "⚠" : "❌"; }
const char* word(Verdict verdict) { return verdict == Verdict::good ? "good" : verdict == Verdict::look ? "look" : "bad"; }

}  // namespace

void Checks::add(std::string name, Verdict verdict, std::string text) { checks_.push_back({std::move(name), verdict, std::move(text)}); }

void Checks::must(std::string name, bool holds, std::string good, std::string bad) {
  add(std::move(name), holds ? Verdict::good : Verdict::bad, holds ? std::move(good) : std::move(bad));
}

void Checks::should(std::string name, bool holds, std::string good, std::string look) {
  add(std::move(name), holds ? Verdict::good : Verdict::look, holds ? std::move(good) : std::move(look));
}

std::vector<std::string> Checks::lines(bool only_bad) const {
  std::vector<std::string> lines;
  for (const Check& check : checks_)
    if (!only_bad || check.verdict == Verdict::bad) lines.push_back(check.name + ": " + check.text);
  return lines;
}

Answer Checks::answer(const std::string& about) const {
  Answer answer;
  const auto count = [this](Verdict verdict) {
    return static_cast<long long>(std::count_if(checks_.begin(), checks_.end(), [verdict](const Check& check) { return check.verdict == verdict; }));
  };
  const long long bad = count(Verdict::bad), look = count(Verdict::look);
  answer.message.title(bad > 0    ? fmt::format("{} · {} wrong", about, core::plural(bad, "thing is", "things are"))
                       : look > 0 ? fmt::format("{} · {} a look", about, core::plural(look, "thing needs", "things need"))
                                  : about + " · all checks pass");
  answer.rings = bad > 0;
  for (const Check& check : checks_)
    answer.message.paragraph(matrix::Text{matrix::plain(std::string(sign(check.verdict)) + " "), matrix::bold(check.name), matrix::plain(": " + check.text)});
  return answer;
}

Answer Checks::answer(const command::Arguments& arguments, const std::string& about, const std::string& file) const {
  Answer answer = this->answer(about);
  command::DataTable table;
  table.columns = {{"check"}, {"verdict"}, {"text"}};
  for (const Check& check : checks_) table.rows.push_back({check.name, word(check.verdict), check.text});
  attach(answer, arguments, table, file);
  return answer;
}

}  // namespace steward::commands
