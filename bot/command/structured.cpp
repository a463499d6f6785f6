// parse_structured: a client that knows our command descriptions (MSC4391) sends names and values instead of a line.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "command/finding.hpp"
#include "command/parser.hpp"
#include "command/reading.hpp"
#include "core/text.hpp"

namespace steward::command {
namespace {

using Json = nlohmann::json;

core::Error bad(std::string what, std::string why = {}) {
  return {core::Code::bad_input, std::move(what), std::move(why), "Type the command as a plain line instead.", {}};
}

// A value as a person would have typed it; rooms and events may come as {"id": …}.
std::optional<std::string> typed_value(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  if (value.is_object() && value.contains("id") && value["id"].is_string()) return value["id"].get<std::string>();
  return std::nullopt;
}

std::optional<core::Error> add_argument(const Argument& argument, const Json& value, Typed& typed) {
  const auto wrong_kind = [&] {
    return bad(fmt::format("The value of {} is of the wrong kind", argument.name), argument.text);
  };
  if (argument.kind == Argument::Kind::flag) {
    if (!value.is_boolean()) return wrong_kind();
    if (value.get<bool>()) typed.line += " --" + argument.name;
    return std::nullopt;
  }
  const Json values = value.is_array() && argument.repeated ? value : Json::array({value});
  for (const Json& each : values) {
    const auto text = typed_value(each);
    if (!text) return wrong_kind();
    if (argument.kind == Argument::Kind::option) typed.line += " --" + argument.name;
    typed.line += ' ' + quote(*text);
  }
  return std::nullopt;
}

}  // namespace

Outcome parse_structured(std::string_view json, const std::vector<const Spec*>& specs, std::string_view server_name,
                         std::string_view time_zone) {
  const Json content = Json::parse(json, nullptr, false);
  if (!content.is_object() || !content.contains("command") || !content["command"].is_string())
    return bad("The structured command has no name");
  const std::string name = fold_name(content["command"].get<std::string>());
  const Match match = find_exact({name}, specs);
  if (match.spec == nullptr) return Unknown{nearest_names({name}, specs)};
  const Json arguments = content.value("arguments", Json::object());
  if (!arguments.is_object()) return bad("The arguments of the structured command are no object");
  Typed typed;
  typed.line = match.spec->name;
  std::size_t understood = 0;
  // In the order of the declaration, so that positionals stand where the parser looks for them.
  for (const Argument& argument : match.spec->arguments) {
    for (const auto& [key, value] : arguments.items()) {
      if (fold_name(key) != argument.name) continue;
      ++understood;
      if (auto problem = add_argument(argument, value, typed)) return std::move(*problem);
    }
  }
  if (understood != arguments.size()) {
    std::vector<std::string> unknown;
    for (const auto& [key, value] : arguments.items())
      if (find_argument(*match.spec, fold_name(key)) == nullptr) unknown.push_back(echo(key));
    return bad(fmt::format("!{} has no argument {}", match.spec->name, core::join(unknown, ", ")), "nothing was run");
  }
  return parse(typed, specs, server_name, time_zone);
}

}  // namespace steward::command
