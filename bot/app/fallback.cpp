#include "app/fallback.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "async/subprocess.hpp"
#include "core/log.hpp"
#include "http/client.hpp"

namespace steward::app {

using boost::asio::awaitable;

namespace {

constexpr auto limit = std::chrono::seconds(30);
constexpr std::size_t longest = 4000;
constexpr const char* placeholder = "{}";

}  // namespace

Fallback::Fallback(boost::asio::any_io_executor io, const config::Config& config)
    : io_(io), words_(config.alerts.fallback), server_name_(config.homeserver.server_name), sending_(io, [](const std::string&, const std::string&) {}) {}

awaitable<core::Result<std::string>> Fallback::send(std::string text) {
  if (words_.empty()) co_return core::fail(core::Code::not_found, "No other way is configured", {}, "set alerts.fallback in steward.yaml");
  if (text.size() > longest) text.resize(longest);
  if (config::is_web_address(words_.front())) co_return co_await call_webhook(std::move(text));
  co_return co_await run_program(std::move(text));
}

// The URL may hold a secret: it stands in no error.
awaitable<core::Result<std::string>> Fallback::call_webhook(std::string text) {
  const std::string& url = words_.front();
  const std::size_t path = url.find('/', url.find("://") + 3);
  http::ClientOptions options;
  options.base_url = url.substr(0, path);
  auto client = http::Client::create(io_, std::move(options));
  if (!client) co_return core::fail(core::Code::bad_input, "The webhook's URL cannot be used");
  http::Request request;
  request.method = "POST";
  request.target = path == std::string::npos ? "/" : url.substr(path);
  nlohmann::json body;
  body["text"] = std::move(text);
  body["server"] = server_name_;
  request.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  http::CallOptions call;
  call.deadline = limit;
  auto answer = co_await (*client)->send(std::move(request), call);
  if (!answer) co_return core::fail(answer.error().code, "The webhook was not reached");
  if (answer->status < 200 || answer->status > 299) co_return core::fail(core::Code::rejected, fmt::format("The webhook answered {}", answer->status));
  co_return std::string("the webhook");
}

awaitable<core::Result<std::string>> Fallback::run_program(std::string text) {
  async::Subprocess program;
  program.program = words_.front();
  for (std::size_t index = 1; index < words_.size(); ++index) program.arguments.push_back(words_[index] == placeholder ? text : words_[index]);
  program.environment.emplace_back("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
  program.input = text + "\n";
  program.limit = limit;
  std::string last;
  program.on_line = [&last](std::string line) { last = std::move(line); };
  const std::string name = std::filesystem::path(words_.front()).filename().string();
  auto running = async::run(io_, std::move(program));
  auto ended = co_await std::move(running);
  if (!ended) co_return core::fail(ended.error());
  if (ended->timed_out) co_return core::fail(core::Code::timeout, fmt::format("{} did not end within {} s", name, limit.count()));
  if (ended->exit_code != 0) co_return core::fail(core::Code::rejected, fmt::format("{} ended with exit code {}", name, ended->exit_code), last);
  co_return name;
}

awaitable<void> Fallback::send_and_log(std::string text) {
  auto sent = co_await send(std::move(text));
  if (sent) core::log_info("fallback", "sent to {}", *sent);
  else core::log_error("fallback", "{}", core::describe(sent.error()));
}

void Fallback::tell(const std::string& text) {
  if (!configured()) return;
  sending_.spawn("fallback", [this, text = server_name_ + ": " + text] { return send_and_log(text); });
}

void Fallback::trouble(const std::string& topic, std::chrono::seconds after, const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  Trouble& known = troubles_.try_emplace(topic, Trouble{now}).first->second;
  if (known.told || now - known.since < after) return;
  known.told = true;
  tell(text);
}

void Fallback::well(const std::string& topic, const std::string& text) {
  const auto known = troubles_.find(topic);
  if (known == troubles_.end()) return;
  if (known->second.told) tell(text);
  troubles_.erase(known);
}

awaitable<void> Fallback::finish() { co_await sending_.join(limit); }

}  // namespace steward::app
