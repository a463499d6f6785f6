#include "db/connection_string.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace steward::db {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

core::Result<Parameters> parse(const std::string& text) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(text.c_str(), nullptr), &PQconninfoFree);
  if (!parsed || text.empty())
    return core::fail(core::Code::bad_input, "the database's connection string cannot be read",
                      text.empty() ? "it is empty" : "it is neither key=value pairs nor a postgresql:// address",
                      "compare it with https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING");
  Parameters parameters;
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option)
    if (option->val) parameters.emplace_back(option->keyword, option->val);
  return parameters;
}

void set(Parameters& parameters, std::string key, std::string value, bool only_if_absent = false) {
  for (auto& [name, present] : parameters) {
    if (name != key) continue;
    if (!only_if_absent) present = std::move(value);
    return;
  }
  parameters.emplace_back(std::move(key), std::move(value));
}

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

Parameters settings(const SessionOptions& options) {
  Parameters list{{"statement_timeout", std::to_string(options.statement_timeout.count())},
                  {"lock_timeout", std::to_string(options.lock_timeout.count())},
                  {"idle_in_transaction_session_timeout", "60000"}};
  if (!options.search_path.empty()) list.emplace_back("search_path", options.search_path);
  if (options.check_connection) list.emplace_back("client_connection_check_interval", "1000");
  return list;
}

// The server splits the option string at spaces; a backslash keeps the next character.
std::string startup_options(const SessionOptions& options) {
  std::string text;
  Parameters list = settings(options);
  if (options.read_only) list.emplace_back("default_transaction_read_only", "on");
  for (const auto& [name, value] : list) {
    text += (text.empty() ? "-c " : " -c ") + name + "=";
    for (char c : value) {
      if (c == ' ' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text;
}

}  // namespace

core::Result<std::string> complete_connection_string(const SessionOptions& options, bool with_settings) {
  auto parameters = parse(options.connection.reveal());
  if (!parameters) return core::fail(std::move(parameters.error()));
  set(*parameters, "application_name", "synapse-steward " + options.name);
  set(*parameters, "client_encoding", "UTF8");
  set(*parameters, "connect_timeout", std::to_string(options.connect_timeout.count()));
  // A server that vanished without a word is noticed within a minute.
  set(*parameters, "keepalives", "1", true);
  set(*parameters, "keepalives_idle", "30", true);
  set(*parameters, "keepalives_interval", "10", true);
  set(*parameters, "keepalives_count", "3", true);
  set(*parameters, "tcp_user_timeout", "60000", true);
  std::string text;
  std::string given_options;
  for (const auto& [name, value] : *parameters) {
    if (name == "options")
      given_options = value + " ";
    else
      text += name + "=" + quoted(value) + " ";
  }
  if (with_settings) return text + "options=" + quoted(given_options + startup_options(options));
  return given_options.empty() ? text : text + "options=" + quoted(given_options);
}

core::Result<std::vector<std::pair<std::string, std::string>>> client_environment(const core::Secret& connection, const std::string& application) {
  auto parameters = parse(connection.reveal());
  if (!parameters) return core::fail(std::move(parameters.error()));
  set(*parameters, "application_name", application);
  Parameters environment;
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> known(PQconndefaults(), &PQconninfoFree);
  for (const PQconninfoOption* option = known.get(); option && option->keyword; ++option) {
    if (!option->envvar) continue;
    const auto given = std::find_if(parameters->begin(), parameters->end(), [option](const auto& each) { return each.first == option->keyword; });
    const char* ours = std::getenv(option->envvar);
    if (given != parameters->end()) environment.emplace_back(option->envvar, given->second);
    else if (ours) environment.emplace_back(option->envvar, ours);
  }
  if (const char* home = std::getenv("HOME")) environment.emplace_back("HOME", home);  // of .pgpass and certificates
  return environment;
}

std::string local_settings(const SessionOptions& options) {
  std::string text;
  if (options.read_only) text = "SET TRANSACTION READ ONLY;";
  for (const auto& [name, value] : settings(options)) {
    // search_path is a list of names; the others are numbers.
    text += "SET LOCAL " + name + "=" + value + ";";
  }
  return text;
}

}  // namespace steward::db
