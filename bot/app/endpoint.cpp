#include "app/endpoint.hpp"

namespace steward::app {

using boost::asio::awaitable;

namespace {

matrix::AppserviceOptions options_of(const config::Config& config) {
  matrix::AppserviceOptions options;
  options.hs_token = config.appservice.hs_token;
  options.legacy_query_token = config.appservice.legacy_query_token;
  return options;
}

}  // namespace

Endpoint::Endpoint(boost::asio::any_io_executor io, const config::Config& config, async::WorkThread& compute)
    : appservice_(options_of(config), compute, [this](std::vector<matrix::Event> events) { return receive(std::move(events)); }) {
  http::ServerOptions options;
  options.address = config.appservice.bind_address;
  options.port = config.appservice.bind_port;
  auto server = http::Server::listen(
      io, std::move(options), [this](const http::Request& head) { return appservice_.gate(head); },
      [this](http::Request request) { return appservice_.handle(std::move(request)); });
  if (!server) {
    listening_ = core::fail(server.error());
    return;
  }
  server_ = std::move(*server);
  server_->start();
}

void Endpoint::receive_with(Receiver receiver, matrix::Appservice::Wanted wanted) {
  receiver_ = std::move(receiver);
  appservice_.only(std::move(wanted));
}

void Endpoint::receive_nothing() {
  receiver_ = {};
  appservice_.only({});
}

awaitable<core::Result<void>> Endpoint::receive(std::vector<matrix::Event> events) {
  if (!receiver_) co_return core::fail(core::Code::unavailable, "The bot is not ready", "its store or its room is not open yet");
  co_return co_await receiver_(std::move(events));
}

awaitable<void> Endpoint::stop() {
  receive_nothing();
  if (server_) co_await server_->stop(std::chrono::seconds(2));
}

}  // namespace steward::app
