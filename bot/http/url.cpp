#include "http/url.hpp"

#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <boost/url/url_view.hpp>

namespace steward::http {

namespace urls = boost::urls;

namespace {

// Everything but unreserved characters: stricter than the grammar asks, so that no proxy reads a separator out of an id.
std::string encoded(std::string_view text) { return urls::encode(text, urls::unreserved_chars); }

std::string encoded_segment(std::string_view segment) {
  // A literal "." or ".." would be resolved away by proxies before it reaches the server.
  if (segment == ".") return "%2E";
  if (segment == "..") return "%2E%2E";
  return encoded(segment);
}

}  // namespace

std::string target(const std::vector<std::string>& segments,
                   const std::vector<std::pair<std::string, std::string>>& query) {
  std::string result;
  for (const std::string& segment : segments) result += "/" + encoded_segment(segment);
  if (result.empty()) result = "/";
  char separator = '?';
  for (const auto& [name, value] : query) {
    result += separator;
    result += encoded(name) + "=" + encoded(value);
    separator = '&';
  }
  return result;
}

ParsedTarget parse_target(std::string_view target) {
  ParsedTarget parsed;
  const auto url = urls::parse_origin_form(target);
  if (!url) return parsed;
  for (const auto& parameter : url->params()) {
    parsed.query.emplace_back(std::string(parameter.key), std::string(parameter.value));
  }
  for (const auto& segment : url->segments()) {
    if (segment.empty()) {
      parsed.segments.clear();
      break;
    }
    parsed.segments.push_back(std::string(segment));
  }
  return parsed;
}

std::string percent_decode(std::string_view text) {
  const auto valid = urls::make_pct_string_view(text);
  if (!valid) return std::string(text);
  std::string decoded;
  valid->decode({}, urls::string_token::assign_to(decoded));
  return decoded;
}

}  // namespace steward::http
