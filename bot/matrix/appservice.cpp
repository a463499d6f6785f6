#include "matrix/appservice.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/log.hpp"
#include "core/text.hpp"
#include "http/url.hpp"
#include "matrix/event_json.hpp"

namespace steward::matrix {

using boost::asio::awaitable;

namespace {

enum class Route { transaction, ping, lookup, none };

constexpr std::string_view root = "/_matrix/app/v1/";

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool is_one_segment(std::string_view text) { return !text.empty() && text.find('/') == std::string_view::npos; }

// By hand, not by a parser: this stands in the way of each event of the server's rooms.
Route route_of(std::string_view target) {
  std::string_view path = path_of(target);
  if (!path.starts_with(root)) return Route::none;
  path.remove_prefix(root.size());
  if (path == "ping") return Route::ping;
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return Route::none;
  const std::string_view first = path.substr(0, slash);
  const std::string_view rest = path.substr(slash + 1);
  if (first == "transactions") return is_one_segment(rest) ? Route::transaction : Route::none;
  if (first == "users" || first == "rooms") return is_one_segment(rest) ? Route::lookup : Route::none;
  if (first == "thirdparty") return rest.empty() ? Route::none : Route::lookup;
  return Route::none;
}

std::string_view method_of(Route route) {
  switch (route) {
    case Route::transaction:
      return "PUT";
    case Route::ping:
      return "POST";
    default:
      return "GET";
  }
}

http::Response answer(unsigned status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

http::Response refusal(unsigned status, std::string_view errcode, std::string_view text) {
  nlohmann::json body = nlohmann::json::object();
  body["errcode"] = std::string(errcode);
  body["error"] = std::string(text);
  return answer(status, compact(body));
}

// The token of "Authorization: Bearer …"; empty when there is none, another scheme, or more than one such header.
std::string_view header_token(const http::Headers& headers) {
  constexpr std::string_view scheme = "bearer ";
  std::string_view token;
  bool seen = false;
  for (const auto& [name, value] : headers) {
    if (name.size() != 13 || core::to_lower_ascii(name) != "authorization") continue;
    if (seen) return {};
    seen = true;
    const std::string_view text = value;
    if (core::to_lower_ascii(text.substr(0, scheme.size())) == scheme) token = core::trim(text.substr(scheme.size()));
  }
  return token;
}

bool has_authorization(const http::Request& head) {
  for (const auto& [name, value] : head.headers) {
    if (core::to_lower_ascii(name) == "authorization") return true;
  }
  return false;
}

std::vector<std::string> query_tokens(std::string_view target) {
  std::vector<std::string> tokens;
  if (target.find('?') == std::string_view::npos) return tokens;
  for (auto& [name, value] : http::parse_target(target).query) {
    if (name == "access_token") tokens.push_back(std::move(value));
  }
  return tokens;
}

core::Result<Batch> parse_wanted(std::string_view body, const std::optional<Interest>& interest) {
  const auto glance = interest ? glance_at_transaction(body, *interest) : std::nullopt;
  if (!glance || glance->matters) return parse_transaction(body);
  Batch batch;
  batch.passed_over = glance->events;
  return batch;
}

http::Response missing_token() {
  return refusal(401, "M_MISSING_TOKEN", "One Authorization header with the hs_token is needed");
}
http::Response wrong_token() { return refusal(403, "M_FORBIDDEN", "This is not the hs_token"); }

}  // namespace

Appservice::Appservice(AppserviceOptions options, async::WorkThread& compute, OnTransaction on_transaction)
    : options_(std::move(options)), compute_(compute), on_transaction_(std::move(on_transaction)) {}

std::optional<http::Response> Appservice::check_token(const http::Request& head) const {
  const auto is_right = [this](std::string_view token) {
    return !options_.hs_token.empty() && core::equal_in_constant_time(token, options_.hs_token.reveal());
  };
  // Without the option the query is not looked at: a token there ends up in the logs of every proxy.
  const std::vector<std::string> in_query =
      options_.legacy_query_token ? query_tokens(head.target) : std::vector<std::string>();
  const std::string_view in_header = header_token(head.headers);
  if (in_header.empty()) {
    if (has_authorization(head) || in_query.size() != 1 || in_query.front().empty()) return missing_token();
    return is_right(in_query.front()) ? std::nullopt : std::optional(wrong_token());
  }
  if (!is_right(in_header)) return wrong_token();
  for (const std::string& token : in_query) {
    if (!is_right(token)) return wrong_token();
  }
  return std::nullopt;
}

std::optional<http::Response> Appservice::gate(const http::Request& head) const {
  if (auto refused = check_token(head)) return refused;
  const Route route = route_of(head.target);
  if (route == Route::none) return refusal(404, "M_UNRECOGNIZED", "Unknown path");
  if (head.method != method_of(route)) return refusal(405, "M_UNRECOGNIZED", "Unknown method");
  return std::nullopt;
}

awaitable<http::Response> Appservice::handle(http::Request request) {
  switch (route_of(request.target)) {
    case Route::transaction:
      return transaction(std::move(request.body));
    case Route::ping:
      return ping(std::move(request.body));
    default:
      return not_found();
  }
}

awaitable<http::Response> Appservice::transaction(std::string body) {
  const std::size_t size = body.size();
  core::Result<Batch> batch;
  const std::optional<Interest> interest = wanted_ ? std::optional(wanted_()) : std::nullopt;
  if (size > options_.offload_above) {
    auto parse = [&body, &interest] { return parse_wanted(body, interest); };
    auto work = async::on_thread(compute_, std::move(parse));
    batch = co_await std::move(work);
  } else {
    batch = parse_wanted(body, interest);
  }
  if (!batch) {
    // Synapse never sends this; it will send it again and again, and nothing else meanwhile.
    core::log_error("appservice", "a transaction of {} bytes is not JSON; it blocks all later ones", size);
    co_return refusal(400, "M_NOT_JSON", "The body is not a JSON object");
  }
  note_broken(batch->broken);
  const std::size_t count = batch->events.size() + batch->passed_over;
  if (!batch->events.empty()) {
    const auto stored = co_await on_transaction_(std::move(batch->events));
    if (!stored) {
      ++counters_.refused;
      core::log_debug("appservice", "transaction refused: {}", core::describe(stored.error()));
      co_return refusal(503, "M_UNKNOWN", "The events could not be stored; send them again");
    }
  }
  ++counters_.transactions;
  counters_.events += count;
  co_return answer(200, "{}");
}

awaitable<http::Response> Appservice::ping(std::string body) {
  const nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object()) co_return refusal(400, "M_NOT_JSON", "The body is not a JSON object");
  last_ping_ = text_field(parsed, "transaction_id");
  co_return answer(200, "{}");
}

awaitable<http::Response> Appservice::not_found() {
  // The bot makes its users and aliases itself; Synapse asks for all others of the namespace and waits for the answer.
  co_return refusal(404, "M_NOT_FOUND", "There is no such thing here");
}

void Appservice::note_broken(int count) {
  if (count <= 0) return;
  // One warning of a kind: whoever can send events to the server could fill the log otherwise.
  if (counters_.broken == 0) {
    core::log_warning("appservice",
                      "{} malformed events left out of a transaction; later ones are logged at level debug", count);
  } else {
    core::log_debug("appservice", "{} malformed events left out of a transaction", count);
  }
  counters_.broken += static_cast<std::uint64_t>(count);
}

}  // namespace steward::matrix
