// parse: finds the command, then gives every word its place or refuses the line. Two passes over one list of words.
#include <fmt/format.h>

#include <algorithm>

#include "command/finding.hpp"
#include "command/parser.hpp"
#include "command/reading.hpp"
#include "command/values.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

constexpr std::size_t most_columns = 34;  // of a preformatted line on a phone

std::string shown_word(const Word& word) {
  const std::string cut = core::clean_name(masked(word.text), 18);
  return word.quoted ? '"' + cut + '"' : cut;
}

// "!clean-rooms dryrun" and the caret below: that word and at most two before it. `at` one past the end: something is
// missing.
std::string with_caret(const std::vector<Word>& words, std::size_t at) {
  const std::string wrong = at < words.size() ? shown_word(words[at]) : "";
  std::string before;
  for (std::size_t back = 1; back <= 2 && back <= at; ++back) {
    const std::size_t index = at - back;
    const std::string more = (index == 0 ? "!" : "") + shown_word(words[index]) + ' ';
    if (core::display_width(more + before + wrong) > most_columns) break;
    before.insert(0, more);
  }
  if (at == 0) before = "!";
  const std::size_t width = std::max<std::size_t>(1, core::display_width(wrong));
  return fmt::format("{}{}\n{}{}", before, wrong, std::string(core::display_width(before), ' '),
                     std::string(width, '^'));
}

core::Error at_word(const std::vector<Word>& words, std::size_t at, std::string what, std::string why,
                    std::string next) {
  return {core::Code::bad_input, what + '\n' + with_caret(words, at), std::move(why), std::move(next), {}};
}

std::string flag_text(const Argument& argument) {
  return argument.kind == Argument::Kind::flag ? "--" + argument.name
                                               : fmt::format("--{} {}", argument.name, placeholder(argument));
}

// "Did you mean --dry-run?" for "dryrun", "--older=" for "older=30d"; empty when nothing is near.
std::string nearest_flag(const Spec& spec, std::string_view word) {
  std::string name = fold_name(word.substr(0, word.find('=')));
  name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
  std::vector<std::string> names;
  for (const Argument& argument : spec.arguments)
    if (argument.kind != Argument::Kind::positional) names.push_back(argument.name);
  const auto near = core::nearest(name, names);
  if (!near || near->size() <= core::edit_distance(name, *near)) return {};
  return fmt::format("Did you mean `{}`?", flag_text(*find_argument(spec, *near)));
}

std::string known_flags(const Spec& spec) {
  std::vector<std::string> flags;
  for (const Argument& argument : spec.arguments)
    if (argument.kind != Argument::Kind::positional) flags.push_back(flag_text(argument));
  if (flags.empty()) return fmt::format("!{} has no flags.", spec.name);
  return fmt::format("!{} knows {}.", spec.name, core::join(flags, ", "));
}

class Reader {
 public:
  Reader(const Spec& spec, const std::vector<Word>& words, std::size_t first, const Surroundings& surroundings)
      : spec_(spec), words_(words), at_(first), surroundings_(surroundings) {
    for (const Argument& argument : spec.arguments) found_.push_back({&argument, {}, {}});
  }

  std::optional<core::Error> read_words() {
    while (at_ < words_.size()) {
      const Word& word = words_[at_];
      if (auto problem = is_flag_word(word) ? read_flag() : read_plain()) return problem;
    }
    return std::nullopt;
  }

  std::optional<core::Error> read_list(const std::vector<std::string>& lines) {
    const auto place = std::find_if(found_.begin(), found_.end(), [](const Found& found) {
      return found.argument->kind == Argument::Kind::positional && found.argument->repeated;
    });
    if (place == found_.end())
      return bad(fmt::format("!{} takes no list", spec_.name), {}, "Send the command without the code block.");
    if (lines.empty()) return bad("The list is empty", "the code block under the command has no lines", {});
    for (std::size_t line = 0; line < lines.size(); ++line) {
      const auto words = tokenize(lines[line]);
      if (!words) return words.error();
      std::size_t first = !words->empty() && (words->front().text == "-" || words->front().text == "*") ? 1 : 0;
      if (words->size() != first + 1)
        return bad(fmt::format("Line {} of the list is not one word", line + 1), echo(lines[line]),
                   "Write one target per line.");
      auto value = read_value(*place->argument, (*words)[first].text, (*words)[first].quoted, surroundings_);
      if (!value)
        return bad(fmt::format("Line {} of the list: {}", line + 1, value.error().what), value.error().why,
                   value.error().next);
      add(*place, std::move(*value));
    }
    return std::nullopt;
  }

  std::optional<core::Error> missing() const {
    for (const Found& found : found_) {
      if (!found.argument->required || !found.values.empty()) continue;
      return at_word(words_, words_.size(), fmt::format("<{}> is missing", found.argument->name),
                     fmt::format("expected {}: {}", expectation(*found.argument), found.argument->text), usage_hint());
    }
    return std::nullopt;
  }

  Parsed result() const {
    Parsed parsed;
    parsed.spec = &spec_;
    parsed.arguments = Arguments(spec_);
    parsed.level = spec_.level;
    std::optional<Level> given;
    bool dry = false;
    for (const Found& found : found_) {
      if (found.values.empty()) continue;
      parsed.arguments.set(*found.argument, found.values);
      dry = dry || (found.argument->name == "dry-run");
      if (found.argument->level) given = std::max(given.value_or(Level::reads), *found.argument->level);
    }
    if (given) parsed.level = *given;
    if (dry) parsed.level = Level::reads;
    parsed.line = canonical_line();
    return parsed;
  }

 private:
  struct Found {
    const Argument* argument;
    std::vector<std::string> values, shown;
  };

  core::Error bad(std::string what, std::string why, std::string next) const {
    return {core::Code::bad_input, std::move(what), std::move(why), std::move(next), {}};
  }
  core::Error wrong(std::size_t at, std::string what, std::string why, std::string next) const {
    return at_word(words_, at, std::move(what), std::move(why), std::move(next));
  }
  std::string usage_hint() const { return fmt::format("`!help {}` shows how it is written.", spec_.name); }

  static void add(Found& found, Value value) {
    if (std::find(found.values.begin(), found.values.end(), value.value) != found.values.end()) return;
    found.values.push_back(std::move(value.value));
    found.shown.push_back(std::move(value.shown));
  }

  Found* find_flag(std::string_view name) {
    const auto place = std::find_if(found_.begin(), found_.end(), [&](const Found& found) {
      const Argument& argument = *found.argument;
      if (argument.kind == Argument::Kind::positional) return false;
      if (name.starts_with("--")) return name.substr(2) == argument.name;
      return name.size() == 2 && argument.letter != 0 && name[1] == argument.letter;
    });
    return place == found_.end() ? nullptr : &*place;
  }

  // Doubled, or against another one of its kind.
  std::optional<core::Error> conflict(const Found& found, std::size_t at) const {
    const Argument& argument = *found.argument;
    if (!found.values.empty() && !argument.repeated)
      return wrong(at, fmt::format("--{} is given twice", argument.name), {}, "Give it once.");
    if (argument.only_one_of.empty()) return std::nullopt;
    for (const Found& other : found_) {
      if (other.argument == &argument || other.values.empty() || other.argument->only_one_of != argument.only_one_of)
        continue;
      return wrong(at, fmt::format("--{} and --{} exclude each other", other.argument->name, argument.name), {},
                   "Give one of them.");
    }
    return std::nullopt;
  }

  std::optional<core::Error> read_flag() {
    const std::size_t at = at_++;
    const std::string& text = words_[at].text;
    const auto equals = text.find('=');
    const std::string name = fold_name(std::string_view(text).substr(0, equals));
    Found* found = find_flag(name);
    if (found == nullptr) {
      std::string next = nearest_flag(spec_, text);
      if (next.empty()) next = known_flags(spec_);
      return wrong(at, fmt::format("{} is not a flag of !{}", echo(text), spec_.name), "nothing was run",
                   std::move(next));
    }
    if (auto problem = conflict(*found, at)) return problem;
    if (found->argument->kind == Argument::Kind::flag) {
      if (equals != std::string::npos)
        return wrong(at, fmt::format("--{} takes no value", found->argument->name), "nothing was run",
                     "Give the flag alone, or leave it out.");
      add(*found, {"true", ""});
      return std::nullopt;
    }
    if (equals != std::string::npos) return read_option(*found, at, text.substr(equals + 1), true);
    if (at_ < words_.size() && !is_flag_word(words_[at_])) {
      const std::size_t value_at = at_++;
      return read_option(*found, value_at, words_[value_at].text, words_[value_at].quoted);
    }
    return wrong(at, fmt::format("--{} needs a value", found->argument->name),
                 fmt::format("expected {}: {}", expectation(*found->argument), found->argument->text), {});
  }

  static bool is_flag_word(const Word& word) {
    return !word.quoted && word.text.size() > 1 && word.text[0] == '-' && !(word.text[1] >= '0' && word.text[1] <= '9');
  }

  std::optional<core::Error> read_option(Found& found, std::size_t at, std::string text, bool quoted) {
    const bool takes_next = at + 1 < words_.size() && at_ == at + 1 && !words_[at + 1].quoted &&
                            is_unit_of(*found.argument, text, words_[at + 1].text);
    if (takes_next) text += words_[at_++].text;
    const bool split = found.argument->repeated && !words_[at].quoted;
    for (const std::string& piece : split ? core::split(text, ',') : std::vector<std::string>{text}) {
      if (piece.empty())
        return wrong(at, fmt::format("--{} has an empty value", found.argument->name),
                     fmt::format("expected {}", expectation(*found.argument)), {});
      const Argument& argument = *found.argument;
      Argument one = argument;
      if (!argument.choices.empty()) one.type = Type::choice;
      auto value = read_value(one, piece, quoted, surroundings_);
      if (!value)
        return wrong(at, fmt::format("--{}: {}", argument.name, value.error().what), value.error().why,
                     value.error().next);
      add(found, std::move(*value));
    }
    return std::nullopt;
  }

  // "dry-run" behind something nobody typed on purpose ("ーdry-run", "·dry-run") or without its dashes: asked about,
  // never taken as a name or a text.
  bool hides_flag(const Word& word) const {
    if (word.quoted) return false;
    std::string_view rest = word.text;
    while (!rest.empty() && !((rest[0] >= 'a' && rest[0] <= 'z') || (rest[0] >= 'A' && rest[0] <= 'Z')))
      rest.remove_prefix(1);
    const bool at_start = rest.size() == word.text.size();
    const std::string name = fold_name(rest.substr(0, rest.find('=')));
    if (name.size() < 3 || (!at_start && std::string_view("@!#$").find(word.text[0]) != std::string_view::npos))
      return false;
    const auto without_hyphens = [](std::string text) {
      std::erase(text, '-');
      return text;
    };
    for (const Argument& argument : spec_.arguments) {
      if (argument.kind == Argument::Kind::positional || without_hyphens(argument.name) != without_hyphens(name))
        continue;
      return !at_start || !argument.bare_word || argument.name.find('-') != std::string::npos;
    }
    return false;
  }

  // The flag whose word form this is ("dry", "json"), if any.
  Found* bare_flag(const Word& word) {
    if (word.quoted) return nullptr;
    const std::string name = core::to_lower_ascii(word.text);
    const auto place = std::find_if(found_.begin(), found_.end(), [&](const Found& found) {
      return found.argument->bare_word && found.argument->name.substr(0, found.argument->name.find('-')) == name;
    });
    return place == found_.end() ? nullptr : &*place;
  }

  // Reads the word (and a unit behind it) as a value of the argument.
  core::Result<Value> value_here(const Argument& argument, std::size_t& taken) const {
    const Word& word = words_[at_];
    taken = 1;
    std::string text = word.text;
    if (argument.type != Type::text && !word.quoted && text.find(',') != std::string::npos) {
      return core::fail(
          core::Code::bad_input, fmt::format("{} holds a comma", echo(text)), "commas do not separate here",
          argument.repeated ? "Separate with spaces, or put the list into a code block." : "Give one value.");
    }
    if (at_ + 1 < words_.size() && !words_[at_ + 1].quoted && is_unit_of(argument, text, words_[at_ + 1].text)) {
      text += words_[at_ + 1].text;
      taken = 2;
    }
    return read_value(argument, text, word.quoted, surroundings_);
  }

  std::optional<core::Error> read_plain() {
    const Word& word = words_[at_];
    std::optional<core::Error> first_problem;
    if (hides_flag(word) && !takes_choice(word)) {
      return wrong(at_, fmt::format("{} looks like a flag without its dashes", echo(word.text)), "nothing was run",
                   nearest_flag(spec_, word.text.substr(word.text.find_first_of(
                                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))) +
                       " If it is a text or a name, put it into quotes.");
    }
    for (Found& found : found_) {
      if (found.argument->kind != Argument::Kind::positional || (!found.values.empty() && !found.argument->repeated))
        continue;
      if (found.argument->type == Type::text || found.argument->type == Type::command) return take_text(found);
      std::size_t taken = 1;
      auto value = value_here(*found.argument, taken);
      if (value) {
        if (!found.values.empty() &&
            std::find(found.values.begin(), found.values.end(), value->value) != found.values.end())
          return wrong(at_, "The same target twice", {}, "Name it once.");
        at_ += taken;
        add(found, std::move(*value));
        return std::nullopt;
      }
      if (!first_problem) first_problem = value.error();
      if (found.argument->required && found.values.empty()) break;
    }
    if (Found* flag = bare_flag(word)) {
      if (auto problem = conflict(*flag, at_)) return problem;
      ++at_;
      add(*flag, {"true", ""});
      return std::nullopt;
    }
    const std::string near = nearest_flag(spec_, word.text);
    if (!first_problem) {
      return wrong(at_, fmt::format("{} is one word too many", echo(word.text)), "nothing was run",
                   near.empty() ? usage_hint() : near);
    }
    return wrong(at_, first_problem->what, first_problem->why, near.empty() ? first_problem->next : near);
  }

  bool takes_choice(const Word& word) const {
    return std::any_of(found_.begin(), found_.end(), [&](const Found& found) {
      const auto& choices = found.argument->choices;
      return found.argument->kind == Argument::Kind::positional && found.values.empty() &&
             std::find(choices.begin(), choices.end(), core::to_lower_ascii(word.text)) != choices.end();
    });
  }

  // A text is one quoted word, or all plain words up to the next flag.
  std::optional<core::Error> take_text(Found& found) {
    const std::size_t start = at_;
    std::string text = words_[at_].text;
    const bool command = found.argument->type == Type::command;  // its flags are its own
    if (!words_[at_++].quoted) {
      while (at_ < words_.size() &&
             (command || (!words_[at_].quoted && !is_flag_word(words_[at_]) && !hides_flag(words_[at_])))) {
        text += ' ' + (command && words_[at_].quoted ? quote(words_[at_].text) : words_[at_].text);
        ++at_;
      }
    }
    auto value = read_value(*found.argument, text, words_[start].quoted, surroundings_);
    if (!value) return wrong(start, value.error().what, value.error().why, value.error().next);
    add(found, std::move(*value));
    return std::nullopt;
  }

  std::string canonical_line() const {
    std::string line = spec_.name;
    for (const auto kind : {Argument::Kind::positional, Argument::Kind::option, Argument::Kind::flag})
      for (const Found& found : found_)
        if (found.argument->kind == kind && !found.values.empty()) line += written(found);
    return line;
  }

  static std::string written(const Found& found) {
    const Argument& argument = *found.argument;
    if (argument.kind == Argument::Kind::flag) return " --" + argument.name;
    std::string line;
    constexpr std::size_t enough = 1000;  // bytes of a list; the rest stands in the plan
    for (std::size_t index = 0; index < found.shown.size(); ++index) {
      if (line.size() > enough && index >= 3) return line + fmt::format(" … ({} more)", found.shown.size() - index);
      if (argument.kind == Argument::Kind::option) line += " --" + argument.name;
      const std::string& shown = found.shown[index];
      line += ' ';
      // A quoted value of a repeated option is not split at its commas.
      const std::string safe = masked(shown);
      if (argument.type == Type::command || safe == "***")
        line += safe;
      else
        line += quote(safe, argument.repeated && shown.find(',') != std::string::npos);
    }
    return line;
  }

  const Spec& spec_;
  const std::vector<Word>& words_;
  std::size_t at_;
  const Surroundings& surroundings_;
  std::vector<Found> found_;
};

Surroundings surroundings_of(const Spec& spec, const std::vector<const Spec*>& specs, std::string_view server_name,
                             std::string_view time_zone) {
  Surroundings surroundings{server_name, time_zone, {}};
  for (const Spec* each : specs) {
    surroundings.reserved.insert(each->name);
    for (std::string& part : core::split(each->name, '-')) surroundings.reserved.insert(std::move(part));
  }
  for (const Argument& argument : spec.arguments)
    if (argument.bare_word) surroundings.reserved.insert(argument.name.substr(0, argument.name.find('-')));
  return surroundings;
}

Outcome read_arguments(const Typed& typed, const std::vector<Word>& words, const Match& match,
                       const std::vector<const Spec*>& specs, std::string_view server_name,
                       std::string_view time_zone) {
  const Surroundings surroundings = surroundings_of(*match.spec, specs, server_name, time_zone);
  Reader reader(*match.spec, words, match.words, surroundings);
  if (auto problem = reader.read_words()) return std::move(*problem);
  if (typed.has_list || !typed.list_lines.empty())
    if (auto problem = reader.read_list(typed.list_lines)) return std::move(*problem);
  if (auto problem = reader.missing()) return std::move(*problem);
  return reader.result();
}

// Whether the second word could be meant by the exact command: then it is no "noun verb".
bool takes_second_word(const Spec& spec, const Word& word, const Surroundings& surroundings) {
  for (const Argument& argument : spec.arguments) {
    const bool named = argument.kind == Argument::Kind::flag && argument.bare_word &&
                       argument.name.substr(0, argument.name.find('-')) == core::to_lower_ascii(word.text);
    if (named) return true;
    if (argument.kind != Argument::Kind::positional) continue;
    if (read_value(argument, word.text, word.quoted, surroundings)) return true;
    if (argument.required) return false;
  }
  return false;
}

}  // namespace

Outcome parse(const Typed& typed, const std::vector<const Spec*>& specs, std::string_view server_name,
              std::string_view time_zone) {
  // The command word first: what is wrong behind it matters only when it is one.
  const std::vector<std::string> names = first_names(typed.line);
  const Match exact = find_exact(names, specs);
  const Match joined = find_joined(names, specs);
  Match match = exact.spec != nullptr ? exact : joined.spec != nullptr ? joined : find_other_number(names, specs);
  if (match.spec == nullptr) return Unknown{nearest_names(names, specs)};
  if (typed.problem) return *typed.problem;
  const auto words = tokenize(typed.line);
  if (!words) return words.error();
  if (exact.spec != nullptr && joined.spec != nullptr && words->size() > 1) {
    const Surroundings surroundings = surroundings_of(*exact.spec, specs, server_name, time_zone);
    if (!takes_second_word(*exact.spec, (*words)[1], surroundings)) match = joined;
  }
  return read_arguments(typed, *words, match, specs, server_name, time_zone);
}

}  // namespace steward::command
