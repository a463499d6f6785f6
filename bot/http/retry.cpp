#include "http/retry.hpp"

#include <algorithm>
#include <charconv>

#include "async/tasks.hpp"
#include "core/log.hpp"
#include "core/secret.hpp"
#include "core/text.hpp"

namespace steward::http {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t longest_reason = 200;

bool is_success(unsigned status) { return status >= 200 && status < 300; }

core::Code code_of(unsigned status, Repeat repeat) {
  if (status == 401 || status == 403) return core::Code::not_allowed;
  if (status == 404) return core::Code::not_found;
  if (status == 429) return core::Code::unavailable;
  if (status >= 500) {
    const bool may_be_done = status == 500 || status == 502 || status == 504;
    return repeat == Repeat::only_unsent && may_be_done ? core::Code::in_doubt : core::Code::unavailable;
  }
  if (status >= 400) return core::Code::rejected;
  return core::Code::protocol;  // a redirect: the URL is not the API's
}

// Retry-After in seconds; the HTTP-date form is not sent by homeservers.
std::optional<milliseconds> retry_after_header(const Response& response) {
  const std::string_view value = response.header("retry-after");
  long long seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (value.empty() || error != std::errc() || end != value.data() + value.size() || seconds < 0) return std::nullopt;
  return milliseconds(1000 * std::min(seconds, 86400LL));
}

core::Error error_of(const Call& call, const Response& response, const Refusal& refusal) {
  core::Error error;
  error.code = code_of(response.status, call.repeat);
  error.what = "Could not " + call.doing;
  error.why = fmt::format("the server answered {}", response.status);
  if (!refusal.text.empty()) {
    // The server's words may repeat names from other people, or what we sent.
    error.why += ": " + core::clean_name(core::without_secrets(refusal.text), longest_reason);
  }
  error.source = core::clean_name(refusal.errcode, 64);
  if (refusal.errcode.empty()) error.source.clear();
  if (refusal.errcode == "M_UNKNOWN_TOKEN" || refusal.errcode == "M_MISSING_TOKEN") {
    error.next =
        "Check that homeserver.yaml names the registration file, that the token in it is the bot's, that its "
        "ip_range_whitelist admits the bot, and restart Synapse after a change";
  } else if (error.code == core::Code::protocol) {
    error.next = "Check homeserver.url: it must lead to Synapse itself, without a redirect";
  } else if (response.status == 429) {
    error.next = "Set rate_limited: false in the registration file and restart Synapse";
  }
  return error;
}

core::Error error_of(const Call& call, const core::Error& transport_error) {
  core::Error error = transport_error;
  error.what = "Could not " + call.doing;
  error.why = transport_error.what;
  if (!transport_error.why.empty()) error.why += ": " + transport_error.why;
  return error;
}

bool worth_another_try(const core::Error& error, Repeat repeat) {
  if (error.code == core::Code::unavailable) return true;  // nothing was sent
  return repeat == Repeat::freely && (error.code == core::Code::timeout || error.code == core::Code::in_doubt);
}

bool worth_another_try(unsigned status, Repeat repeat) {
  return status == 429 || (status >= 500 && repeat == Repeat::freely);
}

}  // namespace

boost::asio::awaitable<core::Result<Response>> call(Transport& transport, Call call, ReadRefusal read_refusal) {
  call.options.repeat_on_dead_connection = call.repeat == Repeat::freely;
  milliseconds delay = call.patience.first_delay;
  for (int attempt = 1;; ++attempt) {
    const bool last = attempt >= call.patience.attempts;
    Request request = last ? std::move(call.request) : call.request;
    auto answer = co_await transport.send(std::move(request), call.options);
    milliseconds wait = delay;
    core::Error error;
    bool again = false;
    if (answer) {
      if (is_success(answer->status)) co_return answer;
      const Refusal refusal = read_refusal(answer->body);
      error = error_of(call, *answer, refusal);
      again = worth_another_try(answer->status, call.repeat);
      wait = refusal.retry_after.value_or(retry_after_header(*answer).value_or(delay));
      wait = std::max(wait, milliseconds(0));
    } else {
      error = error_of(call, answer.error());
      again = worth_another_try(answer.error(), call.repeat);
    }
    if (!again || last || wait > call.patience.longest_delay) co_return core::fail(std::move(error));
    core::log_debug("http", "{}; next try in {} ms", core::describe(error), wait.count());
    const bool waited = co_await async::sleep_for(wait);
    if (!waited) co_return core::fail(core::Code::cancelled, "Could not " + call.doing, "it was cancelled");
    delay = std::min(2 * delay, call.patience.longest_delay);
  }
}

}  // namespace steward::http
