#include "command/arguments.hpp"

#include <charconv>
#include <stdexcept>

namespace steward::command {
namespace {

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The parser let the value through, so a value that cannot be read is our mistake.
template <class T>
T must(std::optional<T> value, std::string_view name) {
  if (!value) throw std::logic_error("the value of argument " + std::string(name) + " was never checked");
  return *std::move(value);
}

}  // namespace

Arguments::Arguments(const Spec& spec) {
  for (const Argument& argument : spec.arguments) set(argument, {});
}

const Arguments::Declared& Arguments::declared(std::string_view name) const {
  const auto found = declared_.find(name);
  if (found == declared_.end()) throw std::logic_error("no argument " + std::string(name) + " is declared");
  return found->second;
}

bool Arguments::has(std::string_view name) const {
  declared(name);
  return values_.contains(name);
}

bool Arguments::flag(std::string_view name) const {
  if (declared(name).type != Type::flag) throw std::logic_error(std::string(name) + " is no flag");
  return values_.contains(name);
}

std::string Arguments::text(std::string_view name) const {
  const Declared& argument = declared(name);
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.empty()) return argument.default_text;
  return found->second.front();
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  const Declared& argument = declared(name);
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  if (argument.default_text.empty()) return {};
  return {argument.default_text};
}

std::string Arguments::single(std::string_view name, Type type) const {
  if (declared(name).type != type) throw std::logic_error("argument " + std::string(name) + " has another type");
  return text(name);
}

std::optional<std::chrono::seconds> Arguments::age(std::string_view name) const {
  const std::string value = single(name, Type::age);
  if (value.empty()) return std::nullopt;
  const auto age = core::parse_duration(value);
  return must(age ? std::optional(*age) : std::nullopt, name);
}

std::optional<core::Bytes> Arguments::size(std::string_view name) const {
  const std::string value = single(name, Type::size);
  if (value.empty()) return std::nullopt;
  const auto size = core::parse_size(value);
  return must(size ? std::optional(*size) : std::nullopt, name);
}

std::optional<std::int64_t> Arguments::integer(std::string_view name) const {
  const std::string value = single(name, Type::integer);
  if (value.empty()) return std::nullopt;
  return must(number(value), name);
}

std::optional<core::TimePoint> Arguments::date(std::string_view name) const {
  const std::string value = single(name, Type::date);
  if (value.empty()) return std::nullopt;
  return core::from_unix_ms(must(number(value), name));
}

std::optional<core::UserId> Arguments::user(std::string_view name) const {
  const std::string value = single(name, Type::user);
  if (value.empty()) return std::nullopt;
  return must(core::parse_user_id(value), name);
}

std::optional<core::RoomId> Arguments::room(std::string_view name) const {
  const std::string value = single(name, Type::room);
  if (value.empty()) return std::nullopt;
  return must(core::parse_room_id(value), name);
}

std::vector<core::RoomId> Arguments::rooms(std::string_view name) const {
  if (declared(name).type != Type::room) throw std::logic_error("argument " + std::string(name) + " is no room");
  std::vector<core::RoomId> rooms;
  for (const std::string& value : list(name)) rooms.push_back(must(core::parse_room_id(value), name));
  return rooms;
}

void Arguments::set(const Argument& argument, std::vector<std::string> values) {
  declared_.insert_or_assign(argument.name, Declared{argument.type, argument.default_text});
  if (values.empty()) {
    values_.erase(argument.name);
  } else {
    values_.insert_or_assign(argument.name, std::move(values));
  }
}

void Arguments::replace(std::string_view name, std::vector<std::string> values) {
  declared(name);
  values_.insert_or_assign(std::string(name), std::move(values));
}

}  // namespace steward::command
