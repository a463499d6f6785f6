#include "db/sqlstate.hpp"

#include <algorithm>

namespace steward::db {
namespace {

using core::Code;

bool cancelled_by_person(std::string_view message, std::chrono::milliseconds elapsed, std::chrono::milliseconds limit) {
  if (message.find("user request") != std::string_view::npos) return true;
  if (message.find("statement timeout") != std::string_view::npos) return false;
  return limit.count() == 0 || elapsed < limit;
}

bool begins_with_sqlstate(std::string_view text) {
  auto fits = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  return text.size() > 7 && std::all_of(text.begin(), text.begin() + 5, fits) && text.substr(5, 2) == ": ";
}

struct Reading {
  Code code;
  const char* what;
  const char* next;
};

Reading read(std::string_view state, std::string_view message, std::chrono::milliseconds elapsed,
             std::chrono::milliseconds limit) {
  if (state == "57014") {
    if (cancelled_by_person(message, elapsed, limit)) return {Code::cancelled, "the statement was cancelled", ""};
    return {Code::timeout, "the statement took too long", "try again when the database is less busy"};
  }
  if (state == "55P03") return {Code::timeout, "a lock was not free in time", "try again in a moment"};
  if (state == "42501")
    return {Code::not_allowed, "the database role lacks a right", "steward check prints the GRANT that is missing"};
  if (state == "23505" || state == "40001" || state == "40P01")
    return {Code::conflict, "somebody else changed the same rows", "try again"};
  if (state == "53300") return {Code::unavailable, "the database has no free connection", "try again in a moment"};
  if (ends_connection(state)) return {Code::unavailable, "the database ended the connection", "try again in a moment"};
  return {Code::rejected, "the database refused a statement", ""};
}

}  // namespace

Message read_message(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  const auto severity = text.find(":  ");
  if (severity != std::string_view::npos) text.remove_prefix(severity + 3);
  if (!begins_with_sqlstate(text)) return {"", std::string(text)};
  return {std::string(text.substr(0, 5)), std::string(text.substr(7))};
}

bool ends_connection(std::string_view sqlstate) {
  return sqlstate.starts_with("08") || sqlstate.starts_with("57P0") || sqlstate == "25P03";
}

core::Error error_of(std::string_view sqlstate, std::string_view message, std::chrono::milliseconds elapsed,
                     std::chrono::milliseconds limit) {
  const Reading reading = read(sqlstate, message, elapsed, limit);
  return {reading.code, reading.what, std::string(message), reading.next, std::string(sqlstate)};
}

core::Error connection_lost(std::string why) {
  return {core::Code::unavailable, "the connection to the database was lost", std::move(why), "it is opened again by itself", ""};
}

}  // namespace steward::db
