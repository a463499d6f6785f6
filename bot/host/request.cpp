#include "host/request.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace steward::host {

std::string_view name(Verb verb) {
  switch (verb) {
    case Verb::stop: return "stop";
    case Verb::start: return "start";
    case Verb::restart: return "restart";
    case Verb::backup: return "backup";
    case Verb::disk: return "disk";
    case Verb::upgrade: return "upgrade";
    case Verb::dump: return "dump";
    case Verb::state: return "state";
  }
  return "";
}

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all{Verb::stop, Verb::start, Verb::restart, Verb::backup, Verb::disk, Verb::upgrade, Verb::dump, Verb::state};
  return all;
}

std::string Request::text() const { return std::string(name(verb)) + (version.empty() ? "" : " " + version); }

bool is_version(std::string_view text) {
  const std::vector<std::string> numbers = core::split(text, '.');
  if (text.size() > 20 || numbers.size() < 2 || numbers.size() > 4) return false;
  return std::all_of(numbers.begin(), numbers.end(), [](const std::string& number) {
    return !number.empty() && number.size() <= 6 && number.find_first_not_of("0123456789") == std::string::npos;
  });
}

core::Result<Request> read_request(std::string_view line) {
  const std::size_t blank = line.find(' ');
  const std::string_view word = line.substr(0, blank);
  const auto verb = std::find_if(verbs().begin(), verbs().end(), [word](Verb each) { return name(each) == word; });
  if (verb == verbs().end()) return core::fail(core::Code::bad_input, "There is no such verb", "expected stop, start, restart, backup, disk, upgrade X.Y.Z, dump or state");
  Request request{.verb = *verb};
  if (blank != std::string_view::npos) request.version = std::string(line.substr(blank + 1));
  const bool wanted = *verb == Verb::upgrade;
  if (wanted != (blank != std::string_view::npos) || (wanted && !is_version(request.version)))
    return core::fail(core::Code::bad_input, wanted ? "upgrade needs a version: digits and dots" : "This verb stands alone");
  return request;
}

std::string_view name(Ending::Kind kind) {
  switch (kind) {
    case Ending::Kind::done: return "done";
    case Ending::Kind::refused: return "refused";
    case Ending::Kind::failed: return "failed";
  }
  return "";
}

std::string ending_line(const Ending& ending) { return std::string(name(ending.kind)) + " " + ending.text; }

std::optional<Ending> read_ending(std::string_view line) {
  for (const auto kind : {Ending::Kind::done, Ending::Kind::refused, Ending::Kind::failed}) {
    const std::string head = std::string(name(kind)) + " ";
    if (line.starts_with(head)) return Ending{kind, std::string(line.substr(head.size()))};
  }
  return std::nullopt;
}

Ending done(std::string text) { return {Ending::Kind::done, std::move(text)}; }
Ending refused(std::string text) { return {Ending::Kind::refused, std::move(text)}; }
Ending failed(std::string text) { return {Ending::Kind::failed, std::move(text)}; }

}  // namespace steward::host
