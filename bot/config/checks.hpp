// What a value of a setting must look like beyond its type. Each gives the sentence for the admin, empty when fine.
// Used by the table and by parse. Any thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/registration.hpp"

namespace steward::config {

std::string check_url(
    const std::string& text);  // "http(s)://host[:port][/path]" without a password, a query or a "/" at the end
std::string check_server_name(const std::string& text);
std::string check_readable_file(const std::string& path);
std::string check_connection_string(const std::string& text);  // never repeats it
std::string check_schema(
    const std::string& text);  // a name that needs no quotes and is not PostgreSQL's or Synapse's own
std::string check_localpart(const std::string& text);
std::string check_socket_path(const std::string& path);
std::string check_room(const std::string& text);           // "!id"
std::string check_room_or_alias(const std::string& text);  // "!id", "#alias:server"
std::string check_token(const std::string& text);          // fits into an HTTP header; never repeats it

// "127.0.0.1:29340", "[::1]:29340".
std::string read_bind(const std::string& text, std::string& address, std::uint16_t& port);
std::string read_users(const std::vector<std::string>& texts, std::vector<core::UserId>& users);

// ["https://hooks.example/…"], or ["/path/of/program", argument…]; never repeats the URL.
std::string check_fallback(const std::vector<std::string>& words);

// What does not fit together although each value alone is fine: "key: sentence".
std::vector<std::string> check_together(const Config& config, const Registration* registration);

}  // namespace steward::config
