#include "http/server.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <exception>
#include <list>
#include <utility>

#include "async/tasks.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t first_read = 8U << 10;
constexpr std::size_t body_read = 64U << 10;
constexpr std::size_t kept_buffer = 64U << 10;  // a connection that carried a large body gives the memory back
constexpr milliseconds linger = std::chrono::seconds(1);
constexpr milliseconds longest_deadline = std::chrono::hours(24 * 365);

// Fills a Request while Beast parses, without Beast's own containers in between.
class RequestParser final : public beast_http::basic_parser<true> {
 public:
  Request request;
  bool expects_continue = false;
  bool http_1_0 = false;

 private:
  using text = boost::beast::string_view;

  static std::string string(text view) { return std::string(view.data(), view.size()); }

  void on_request_impl(beast_http::verb, text method, text target, int version, error_code&) override {
    http_1_0 = version < 11;
    request.method = string(method);
    request.target = string(target);
    request.content_type.clear();
    request.headers.reserve(8);
  }
  void on_response_impl(int, text, int, error_code&) override {}
  void on_field_impl(beast_http::field field, text name, text value, error_code&) override {
    if (field == beast_http::field::content_type) request.content_type = string(value);
    if (field == beast_http::field::expect) expects_continue = true;
    request.headers.emplace_back(string(name), string(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) request.body.reserve(static_cast<std::size_t>(*length));  // the limit was checked against it before
  }
  std::size_t on_body_impl(text body, error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text body, error_code& error) override {
    return on_body_impl(body, error);
  }
  void on_finish_impl(error_code&) override {}
};

struct Session {
  explicit Session(tcp::socket the_socket) : socket(std::move(the_socket)) {}

  void allow(milliseconds duration) { deadline = Clock::now() + std::min(duration, longest_deadline); }
  void close() {
    error_code ignored;
    socket.close(ignored);
  }

  tcp::socket socket;
  boost::beast::flat_buffer buffer;
  std::string answer;
  Clock::time_point deadline = Clock::time_point::max();  // the server's watch closes the socket after it
  bool busy = false;                                      // a request is being read, handled or answered
  asio::cancellation_signal cancellation;
};

Response refusal(unsigned status, std::string_view errcode, std::string_view error) {
  Response response;
  response.status = status;
  response.body = fmt::format(R"({{"errcode":"{}","error":"{}"}})", errcode, error);
  return response;
}

// False for a peer that is gone, where nobody would read an answer.
bool is_parse_error(const error_code& error) {
  return error.category() == beast_http::make_error_code(beast_http::error::bad_version).category();
}

// What a failed parse is answered with; the connection is closed after it.
Response answer_to(const error_code& error) {
  if (error == beast_http::error::header_limit) return refusal(431, "M_TOO_LARGE", "The headers are too large");
  if (error == beast_http::error::body_limit || error == beast_http::error::buffer_overflow) {
    return refusal(413, "M_TOO_LARGE", "The body is too large");
  }
  return refusal(400, "M_UNRECOGNIZED", "This is not an HTTP/1.1 request");
}

bool is_own_header(std::string_view name) {
  const std::string lower = core::to_lower_ascii(name);
  return lower == "content-length" || lower == "connection" || lower == "transfer-encoding";
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

// Head and body in one buffer, so that an answer is one write and one packet.
void render(std::string& out, const Response& response, bool keep_alive, bool with_body, bool http_1_0) {
  const auto reason = beast_http::obsolete_reason(beast_http::int_to_status(response.status));
  out.clear();
  out.append(http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(reason.data(), reason.size()).append("\r\n");
  if (response.header("content-type").empty()) append_header(out, "Content-Type", "application/json");
  for (const auto& [name, value] : response.headers) {
    if (!is_own_header(name)) append_header(out, name, value);
  }
  append_header(out, "Content-Length", std::to_string(response.body.size()));
  if (!keep_alive) append_header(out, "Connection", "close");
  if (keep_alive && http_1_0) append_header(out, "Connection", "keep-alive");
  out.append("\r\n");
  if (with_body) out.append(response.body);
}

}  // namespace

struct Server::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor the_executor, ServerOptions the_options, Gate the_gate, Handler the_handler)
      : executor(std::move(the_executor)),
        options(std::move(the_options)),
        gate(std::move(the_gate)),
        handler(std::move(the_handler)),
        acceptor(executor),
        watch_timer(executor),
        session_ended(executor) {}

  asio::any_io_executor executor;
  ServerOptions options;
  Gate gate;
  Handler handler;
  tcp::acceptor acceptor;
  asio::steady_timer watch_timer;
  async::Signal session_ended;
  std::list<std::shared_ptr<Session>> sessions;
  std::uint16_t port = 0;
  bool stopping = false;

  core::Result<void> bind();
  void stop_accepting();
  void close_sessions(bool busy_ones_too);
  milliseconds watch_interval() const;

  // The coroutines below hold the state by a shared pointer: the Server may be gone before the last of them ends.
  static asio::awaitable<void> accept(std::shared_ptr<State> self);
  static asio::awaitable<void> watch(std::shared_ptr<State> self);
  static asio::awaitable<void> serve(std::shared_ptr<State> self, std::shared_ptr<Session> session);
  static asio::awaitable<bool> serve_one(std::shared_ptr<State> self, std::shared_ptr<Session> session);
  asio::awaitable<error_code> read_head(Session& session, RequestParser& parser);
  asio::awaitable<error_code> read_body(Session& session, RequestParser& parser);
  static asio::awaitable<error_code> read_more(Session& session, std::size_t chunk);
  asio::awaitable<Response> handle(Request request);
  asio::awaitable<bool> write(Session& session);
  asio::awaitable<void> refuse(Session& session, Response response);
  void start_session(tcp::socket socket);
  asio::awaitable<void> wait_for_sessions(milliseconds limit);
};

core::Result<void> Server::State::bind() {
  const std::string where = fmt::format("{} port {}", options.address, options.port);
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    return core::fail(core::Code::bad_input, "Cannot listen on " + where, "it is not an IP address",
                      "Give an address such as 127.0.0.1 or ::1");
  }
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) {
    port = acceptor.local_endpoint(error).port();
    return {};
  }
  const auto code = error == asio::error::address_in_use ? core::Code::conflict : core::Code::bad_input;
  const char* next = code == core::Code::conflict ? "Another program listens there; stop it or choose another port"
                                                  : "Choose an address of this machine and a free port above 1023";
  return core::fail(code, "Cannot listen on " + where, error.message(), next);
}

void Server::State::stop_accepting() {
  stopping = true;
  error_code ignored;
  acceptor.close(ignored);
  session_ended.notify();  // wakes the accept loop where it waits for a free place
}

void Server::State::close_sessions(bool busy_ones_too) {
  for (const auto& session : sessions) {
    if (busy_ones_too || !session->busy) session->close();
  }
}

asio::awaitable<void> Server::State::accept(std::shared_ptr<State> self) {
  while (!self->stopping) {
    if (self->sessions.size() >= self->options.max_connections) {
      co_await self->session_ended.wait(std::chrono::minutes(1));
      continue;
    }
    error_code error;
    tcp::socket socket = co_await self->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (self->stopping) co_return;
    if (error) {
      // Out of descriptors or a peer that left the backlog: no reason to end, no reason to spin.
      co_await async::sleep_for(milliseconds(50));
      continue;
    }
    socket.set_option(tcp::no_delay(true), error);
    self->start_session(std::move(socket));
  }
}

void Server::State::start_session(tcp::socket socket) {
  auto session = std::make_shared<Session>(std::move(socket));
  sessions.push_back(session);
  auto ended = [self = shared_from_this(), session](const std::exception_ptr&) {
    session->close();
    self->sessions.remove(session);
    self->session_ended.notify();
  };
  asio::co_spawn(executor, serve(shared_from_this(), session),
                 asio::bind_cancellation_slot(session->cancellation.slot(), std::move(ended)));
}

// One timer for all connections: a timer of each read and write would cost a system call of each request.
asio::awaitable<void> Server::State::watch(std::shared_ptr<State> self) {
  const auto interval = self->watch_interval();
  while (!self->stopping || !self->sessions.empty()) {
    self->watch_timer.expires_after(interval);
    error_code error;
    co_await self->watch_timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto now = Clock::now();
    for (const auto& session : self->sessions) {
      if (now >= session->deadline) session->close();
    }
  }
}

milliseconds Server::State::watch_interval() const {
  const auto shortest = std::min({options.read_deadline, options.write_deadline, options.idle_deadline});
  return std::clamp(shortest / 4, milliseconds(5), milliseconds(1000));
}

asio::awaitable<void> Server::State::serve(std::shared_ptr<State> self, std::shared_ptr<Session> session) {
  // A handler that is cancelled while it stores a transaction gets "cancelled" answers, not exceptions.
  co_await asio::this_coro::throw_if_cancelled(false);
  session->allow(self->options.read_deadline);  // an idle stranger gets less time than a connection that proved its use
  bool again = true;
  while (again) {
    session->busy = false;
    again = co_await serve_one(self, session);
    if (self->stopping) break;
  }
}

asio::awaitable<bool> Server::State::serve_one(std::shared_ptr<State> self, std::shared_ptr<Session> session) {
  RequestParser parser;
  parser.header_limit(static_cast<std::uint32_t>(self->options.header_limit));
  parser.body_limit(boost::none);  // judged below, after the gate: who has no token learns nothing about limits
  error_code error = co_await self->read_head(*session, parser);
  if (error) {
    if (is_parse_error(error)) co_await self->refuse(*session, answer_to(error));
    co_return false;
  }
  std::optional<Response> refused = self->gate ? self->gate(parser.request) : std::nullopt;
  if (!refused && parser.content_length().value_or(0) > self->options.body_limit) {
    refused = answer_to(beast_http::error::body_limit);
  }
  if (refused) {
    co_await self->refuse(*session, std::move(*refused));
    co_return false;
  }
  if (!parser.is_done()) {
    parser.body_limit(self->options.body_limit);
    error = co_await self->read_body(*session, parser);
    if (is_parse_error(error)) co_await self->refuse(*session, answer_to(error));
    if (error) co_return false;
  }
  const bool keep_alive = parser.keep_alive() && !self->stopping;
  const bool with_body = parser.request.method != "HEAD";
  const bool http_1_0 = parser.http_1_0;
  session->deadline = Clock::time_point::max();  // the handler has deadlines of its own
  const Response response = co_await self->handle(std::move(parser.request));
  render(session->answer, response, keep_alive, with_body, http_1_0);
  const bool written = co_await self->write(*session);
  session->allow(self->options.idle_deadline);
  co_return written && keep_alive;
}

asio::awaitable<error_code> Server::State::read_head(Session& session, RequestParser& parser) {
  if (session.buffer.size() == 0) {
    const error_code error = co_await read_more(session, first_read);
    if (error) co_return error;
  }
  session.busy = true;
  session.allow(options.read_deadline);
  while (!parser.is_header_done()) {
    error_code error;
    const std::size_t used = parser.put(session.buffer.data(), error);
    session.buffer.consume(used);
    if (error == beast_http::error::need_more) error = co_await read_more(session, first_read);
    if (error) co_return error;
  }
  co_return error_code();
}

asio::awaitable<error_code> Server::State::read_body(Session& session, RequestParser& parser) {
  if (parser.expects_continue && session.buffer.size() == 0) {
    session.answer = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool written = co_await write(session);
    if (!written) co_return asio::error::eof;
    session.allow(options.read_deadline);
  }
  while (!parser.is_done()) {
    error_code error;
    if (session.buffer.size() > 0) {
      const std::size_t used = parser.put(session.buffer.data(), error);
      session.buffer.consume(used);
      if (!error) continue;
    }
    if (!error || error == beast_http::error::need_more) error = co_await read_more(session, body_read);
    if (error) co_return error;
  }
  if (session.buffer.size() == 0 && session.buffer.capacity() > kept_buffer) session.buffer.shrink_to_fit();
  co_return error_code();
}

asio::awaitable<error_code> Server::State::read_more(Session& session, std::size_t chunk) {
  error_code error;
  auto space = session.buffer.prepare(chunk);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const std::size_t size = co_await session.socket.async_read_some(space, token);
  session.buffer.commit(size);
  co_return error;
}

asio::awaitable<Response> Server::State::handle(Request request) {
  try {
    auto answer = handler(std::move(request));
    co_return co_await std::move(answer);
  } catch (const std::exception& error) {
    core::log_error("http", "a request handler failed: {}", error.what());
  }
  co_return refusal(500, "M_UNKNOWN", "Internal error");
}

asio::awaitable<bool> Server::State::write(Session& session) {
  session.allow(options.write_deadline);
  error_code error;
  // Not async_write: an answer nearly always leaves in one piece, and its bookkeeping would cost each request.
  for (std::size_t written = 0; written < session.answer.size() && !error;) {
    const auto rest = asio::buffer(session.answer) + written;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    written += co_await session.socket.async_write_some(rest, token);
  }
  co_return !error;
}

// Answers, then throws away what still comes for a moment: closing with unread bytes would reset the connection, and the
// reset would take the answer with it before the other side has read it.
asio::awaitable<void> Server::State::refuse(Session& session, Response response) {
  render(session.answer, response, false, true, false);
  const bool written = co_await write(session);
  if (!written) co_return;
  error_code error;
  session.socket.shutdown(tcp::socket::shutdown_send, error);
  session.busy = false;
  session.allow(linger);
  while (!error) {
    session.buffer.clear();
    error = co_await read_more(session, body_read);
  }
}

core::Result<std::unique_ptr<Server>> Server::listen(asio::any_io_executor executor, ServerOptions options, Gate gate,
                                                     Handler handler) {
  auto state =
      std::make_shared<State>(std::move(executor), std::move(options), std::move(gate), std::move(handler));
  auto bound = state->bind();
  if (!bound) return core::fail(std::move(bound.error()));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  state_->stop_accepting();
  state_->close_sessions(true);
  state_->watch_timer.cancel();
}

void Server::start() {
  asio::co_spawn(state_->executor, State::accept(state_), asio::detached);
  asio::co_spawn(state_->executor, State::watch(state_), asio::detached);
}

std::uint16_t Server::port() const { return state_->port; }

asio::awaitable<void> Server::stop(milliseconds grace) {
  auto state = state_;
  state->stop_accepting();
  state->close_sessions(false);
  co_await state->wait_for_sessions(grace);
  state->close_sessions(true);
  for (const auto& session : state->sessions) session->cancellation.emit(asio::cancellation_type::terminal);
  co_await state->wait_for_sessions(std::chrono::seconds(1));
  state->watch_timer.cancel();
}

// Until the last connection ended, at most `limit`.
asio::awaitable<void> Server::State::wait_for_sessions(milliseconds limit) {
  const auto end = Clock::now() + std::min(limit, longest_deadline);
  while (!sessions.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (left <= milliseconds(0)) co_return;
    const bool one_ended = co_await session_ended.wait(left);
    if (!one_ended) co_return;
  }
}

}  // namespace steward::http
