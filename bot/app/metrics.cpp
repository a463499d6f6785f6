#include "app/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <unistd.h>

#include "async/tasks.hpp"
#include "core/secret.hpp"

namespace steward::app {

using boost::asio::awaitable;

namespace {

constexpr std::size_t body_limit = 1024;
constexpr std::size_t connections = 8;

http::Response text_answer(unsigned status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = std::move(body);
  return response;
}

std::string_view header(const http::Request& request, std::string_view wanted) {
  for (const auto& [name, value] : request.headers) {
    const bool same = name.size() == wanted.size() &&
                      std::equal(name.begin(), name.end(), wanted.begin(), [](char a, char b) { return (a | 0x20) == (b | 0x20); });
    if (same) return value;
  }
  return {};
}

bool may_ask(const http::Request& head, const core::Secret& token) {
  if (token.empty()) return true;
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view given = header(head, "Authorization");
  return given.starts_with(scheme) && core::equal_in_constant_time(given.substr(scheme.size()), token.reveal());
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::string metrics_text(const std::vector<Sample>& samples) {
  std::string text;
  std::set<std::string> told;
  for (const Sample& sample : samples) {
    const std::string family = sample.name.substr(0, sample.name.find('{'));
    if (told.insert(family).second) text += fmt::format("# TYPE {} {}\n", family, family.ends_with("_total") ? "counter" : "gauge");
    text += fmt::format("{} {}\n", sample.name, sample.value);
  }
  return text;
}

Metrics::Metrics(boost::asio::any_io_executor io, const config::Config& config) : token_(config.metrics.token) {
  if (config.metrics.address.empty()) return;
  http::ServerOptions options;
  options.address = config.metrics.address;
  options.port = config.metrics.port;
  options.body_limit = body_limit;
  options.max_connections = connections;
  auto server = http::Server::listen(
      io, std::move(options),
      [this](const http::Request& head) -> std::optional<http::Response> {
        if (may_ask(head, token_)) return std::nullopt;
        return text_answer(401, "a token is needed\n");
      },
      [this](http::Request request) { return answer(std::move(request)); });
  if (!server) {
    listening_ = core::fail(server.error());
    return;
  }
  server_ = std::move(*server);
  server_->start();
}

void Metrics::tell_of(Source source) { source_ = std::move(source); }

awaitable<void> Metrics::tell_nothing() {
  source_ = {};
  while (asking_ > 0) co_await async::sleep_for(std::chrono::milliseconds(10));
}

awaitable<http::Response> Metrics::answer(http::Request request) {
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (request.method != "GET") co_return text_answer(405, "only GET\n");
  if (path == "/healthz") co_return text_answer(200, "ok\n");
  const std::string why = source_.not_ready ? source_.not_ready() : "the bot is starting";
  if (path == "/readyz") co_return text_answer(why.empty() ? 200 : 503, (why.empty() ? "ready" : why) + "\n");
  if (path != "/metrics") co_return text_answer(404, "/healthz, /readyz, /metrics\n");
  std::vector<Sample> samples;
  samples.push_back({"steward_ready", why.empty() ? 1.0 : 0.0});
  samples.push_back({"process_resident_memory_bytes", resident_bytes()});
  if (source_.samples) {
    ++asking_;
    auto asked = source_.samples();
    std::vector<Sample> more = co_await std::move(asked);
    --asking_;
    samples.insert(samples.end(), more.begin(), more.end());
  }
  co_return text_answer(200, metrics_text(samples));
}

awaitable<void> Metrics::stop() {
  co_await tell_nothing();
  if (server_) co_await server_->stop(std::chrono::seconds(1));
}

}  // namespace steward::app
