// commands_json: the table of commands for programs (`steward commands --json`).
#include <nlohmann/json.hpp>

#include "command/help.hpp"

namespace steward::command {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name(Type type) {
  switch (type) {
    case Type::flag:
      return "flag";
    case Type::word:
      return "word";
    case Type::text:
      return "text";
    case Type::age:
      return "age";
    case Type::size:
      return "size";
    case Type::integer:
      return "integer";
    case Type::date:
      return "date";
    case Type::user:
      return "user";
    case Type::room:
      return "room";
    case Type::event:
      return "event";
    case Type::media:
      return "media";
    case Type::server:
      return "server";
    case Type::handle:
      return "handle";
    case Type::command:
      return "command";
    case Type::choice:
      return "choice";
  }
  return "";
}

Json describe(const Argument& argument) {
  Json out;
  out["name"] = argument.kind == Argument::Kind::positional ? argument.name : "--" + argument.name;
  out["type"] = name(argument.type);
  out["text"] = argument.text;
  if (argument.kind == Argument::Kind::positional) out["required"] = argument.required;
  if (argument.letter != 0) out["short"] = std::string("-") + argument.letter;
  if (argument.repeated) out["repeated"] = true;
  if (!argument.choices.empty()) out["choices"] = argument.choices;
  if (!argument.default_text.empty()) out["default"] = argument.default_text;
  if (argument.level) out["level"] = static_cast<int>(*argument.level);
  return out;
}

}  // namespace

std::string commands_json(const std::vector<const Spec*>& specs) {
  Json all = Json::array();
  for (const Spec* spec : specs) {
    Json one;
    one["name"] = spec->name;
    one["aliases"] = spec->alias.empty() ? Json::array() : Json::array({spec->alias});
    one["group"] = command::name(spec->group);
    one["level"] = static_cast<int>(spec->level);
    one["arguments"] = Json::array();
    one["flags"] = Json::array();
    for (const Argument& argument : spec->arguments)
      one[argument.kind == Argument::Kind::positional ? "arguments" : "flags"].push_back(describe(argument));
    one["sources"] = spec->sources;
    one["safe_while_running"] = spec->safe_while_running;
    one["summary"] = spec->summary;
    all.push_back(std::move(one));
  }
  return all.dump(2);
}

}  // namespace steward::command
