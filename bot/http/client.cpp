#include "http/client.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "core/text.hpp"

namespace steward::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Socket = asio::generic::stream_protocol::socket;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t read_chunk = 16U << 10;
constexpr std::size_t largest_reserve = 16U << 20;  // of what an answer's Content-Length claims
constexpr milliseconds longest_deadline = std::chrono::hours(24 * 365);

// Fills a Response while Beast parses, without Beast's own containers in between.
class ResponseParser final : public beast_http::basic_parser<false> {
 public:
  Response response;

 private:
  using text = boost::beast::string_view;

  static std::string string(text view) { return std::string(view.data(), view.size()); }

  void on_request_impl(beast_http::verb, text, text, int, error_code&) override {}
  void on_response_impl(int code, text, int, error_code&) override { response.status = static_cast<unsigned>(code); }
  void on_field_impl(beast_http::field, text name, text value, error_code&) override {
    response.headers.emplace_back(string(name), string(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) response.body.reserve(std::min(static_cast<std::size_t>(*length), largest_reserve));
  }
  std::size_t on_body_impl(text body, error_code&) override {
    response.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text body, error_code& error) override {
    return on_body_impl(body, error);
  }
  void on_finish_impl(error_code&) override {}
};

// Where base_url leads.
struct Target {
  bool tls = false;
  std::string unix_path;    // not empty: a unix socket
  std::string host;         // without the brackets of an IPv6 address
  std::string port;
  std::string host_header;
  std::string prefix;       // put before every request's target; no slash at its end
};

core::Result<Target> parse_base_url(const std::string& base_url) {
  Target target;
  if (base_url.starts_with("unix:")) {
    target.unix_path = base_url.substr(5);
    target.host_header = "localhost";
    if (target.unix_path.starts_with("/") && target.unix_path.size() < sizeof(sockaddr_un::sun_path)) return target;
    return core::fail(core::Code::bad_input, "The unix socket's address cannot be used",
                      "it must be an absolute path of at most 107 bytes", "Write it as unix:/run/synapse/main.sock");
  }
  const auto url = boost::urls::parse_uri(base_url);
  const auto refused = [](std::string why) {
    return core::fail(core::Code::bad_input, "The server's URL cannot be used", std::move(why),
                      "Write it as https://host, http://host:port or unix:/path");
  };
  // The text itself is not repeated: a wrong URL may hold a password.
  if (!url) return refused("it is not a URL");
  if (url->scheme() != "http" && url->scheme() != "https") return refused("its scheme is neither http nor https");
  if (url->has_userinfo()) return refused("it holds a user name or password");
  if (url->has_query() || url->has_fragment()) return refused("it holds a query or a fragment");
  target.tls = url->scheme() == "https";
  target.host = url->host_address();
  if (target.host.empty()) return refused("it names no host");
  target.port = url->has_port() && !url->port().empty() ? std::string(url->port()) : (target.tls ? "443" : "80");
  target.host_header = std::string(url->encoded_host_and_port());
  target.prefix = std::string(url->encoded_path());
  while (target.prefix.ends_with('/')) target.prefix.pop_back();
  return target;
}

struct Connection {
  explicit Connection(Socket the_socket) : socket(std::move(the_socket)) {}

  void close() {
    error_code ignored;
    socket.close(ignored);
  }

  // The server hung up, or sent something that nobody asked for, while the connection lay idle.
  bool looks_dead() {
    pollfd state{socket.native_handle(), POLLIN | POLLRDHUP, 0};
    if (poll(&state, 1, 0) <= 0) return false;
    const bool unasked_bytes = (state.revents & POLLIN) != 0 && !tls;  // TLS may still hold a session ticket
    return unasked_bytes || (state.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
  }

  Socket socket;
  std::optional<ssl::stream<Socket&>> tls;
  boost::beast::flat_buffer buffer;
  Clock::time_point last_used;
  bool reused = false;
};

bool is_idempotent(const std::string& method) {
  return method == "GET" || method == "PUT" || method == "DELETE" || method == "HEAD";
}

bool has_body_headers(const Request& request) {
  return !request.body.empty() || request.method == "PUT" || request.method == "POST";
}

// A line break or space in a head would let an argument write headers of its own.
bool is_clean(std::string_view text, bool spaces_allowed) {
  return std::ranges::all_of(text, [spaces_allowed](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 ? byte != 0x7F : (spaces_allowed && (c == ' ' || c == '\t'));
  });
}

bool is_clean(const Request& request) {
  if (request.method.empty() || !is_clean(request.method, false)) return false;
  if (!request.target.starts_with('/') || !is_clean(request.target, false)) return false;
  if (!is_clean(request.content_type, true)) return false;
  return std::ranges::all_of(request.headers, [](const auto& header) {
    return !header.first.empty() && header.first.find(':') == std::string::npos && is_clean(header.first, false) &&
           is_clean(header.second, true);
  });
}

std::string render_head(const Target& target, const std::string& user_agent, const Request& request) {
  std::string head = request.method + " " + target.prefix + request.target + " HTTP/1.1\r\n";
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  add("Host", target.host_header);
  add("User-Agent", user_agent);
  // A unix socket has no address: Synapse answers 500 where it wants the client's, unless a proxy names one (probed on
  // 1.163: /register, and any call when the registration holds an ip_range_whitelist).
  if (!target.unix_path.empty()) add("X-Forwarded-For", "127.0.0.1");
  for (const auto& [name, value] : request.headers) add(name, value);
  if (!request.body.empty() && !request.content_type.empty()) add("Content-Type", request.content_type);
  if (has_body_headers(request)) add("Content-Length", std::to_string(request.body.size()));
  return head.append("\r\n");
}

// Finds a peer that vanished without a word (a crashed host) in a minute, also in a call that may take hours.
void tune(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&socket](int option, int value) {
    setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 30);
  set(TCP_KEEPINTVL, 10);
  set(TCP_KEEPCNT, 3);
}

}  // namespace

struct Client::State : std::enable_shared_from_this<State> {
  struct Call;
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor, longest_deadline) {}
    asio::steady_timer timer;
    bool granted = false;
  };

  State(asio::any_io_executor the_executor, ClientOptions the_options, Target the_target)
      : executor(std::move(the_executor)), options(std::move(the_options)), target(std::move(the_target)) {}

  asio::any_io_executor executor;
  ClientOptions options;
  Target target;
  std::optional<ssl::context> tls;
  std::vector<std::unique_ptr<Connection>> idle;
  std::size_t in_use = 0;
  std::deque<std::shared_ptr<Waiter>> waiters;
  bool closed = false;

  core::Result<void> prepare_tls();
  asio::awaitable<bool> acquire_place(Call& call);
  void release_place();
  std::unique_ptr<Connection> take_idle();
  void give_back(std::unique_ptr<Connection> connection);
};

// One call of send(). It runs in a coroutine of its own, which nobody cancels: a deadline or a cancellation closes what the
// call is waiting on and answers the caller at once (a name server that hangs cannot be interrupted); what was already sent
// decides what the caller is told.
struct Client::State::Call : std::enable_shared_from_this<Call> {
  enum class Stage { waiting, connecting, sending, answering };
  enum class Stop { none, deadline, connect_timeout, cancelled };

  Call(std::shared_ptr<State> the_client, Request the_request, CallOptions the_options)
      : client(std::move(the_client)),
        request(std::move(the_request)),
        options(the_options),
        deadline(client->executor),
        connect_deadline(client->executor) {}

  void start(std::move_only_function<void()> on_finished);
  void finish();
  void stop(Stop reason);
  void stop_after(asio::steady_timer& timer, milliseconds duration, Stop reason);

  static asio::awaitable<void> run(std::shared_ptr<Call> self);
  asio::awaitable<void> exchange();
  asio::awaitable<bool> connect();
  asio::awaitable<error_code> open_tcp();
  asio::awaitable<error_code> open_unix();
  asio::awaitable<bool> handshake();
  asio::awaitable<error_code> try_once();
  asio::awaitable<error_code> write();
  asio::awaitable<error_code> read();
  asio::awaitable<error_code> read_message(ResponseParser& parser);
  asio::awaitable<error_code> read_more();

  core::Error stopped_error() const;
  core::Error failed_error(const error_code& error) const;
  void fail(core::Error error) { result = core::fail(std::move(error)); }
  core::Error broken_error(std::string why) const;
  std::string server() const { return client->options.base_url; }

  std::shared_ptr<State> client;
  Request request;
  CallOptions options;
  asio::steady_timer deadline;
  asio::steady_timer connect_deadline;
  Stage stage = Stage::waiting;
  Stop stopped = Stop::none;
  std::size_t written = 0;       // bytes of this attempt that the kernel or TLS took
  bool sent_before = false;      // an earlier attempt on a dead connection had been sent
  bool answer_started = false;
  std::shared_ptr<Waiter> waiter;
  std::optional<tcp::resolver> resolver;
  std::optional<tcp::socket> connecting_tcp;
  std::optional<asio::local::stream_protocol::socket> connecting_unix;
  std::unique_ptr<Connection> connection;
  std::move_only_function<void()> finished;
  core::Result<Response> result = core::fail(core::Code::internal, "The call did not run");
};

core::Result<void> Client::State::prepare_tls() {
  tls.emplace(ssl::context::tls_client);
  error_code error;
  if (options.ca_file.empty()) {
    tls->set_default_verify_paths(error);
  } else {
    tls->load_verify_file(options.ca_file, error);
  }
  if (error) {
    return core::fail(core::Code::bad_input, "The file of trusted certificates cannot be read", error.message(),
                      "Name a readable PEM file");
  }
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  tls->set_verify_mode(ssl::verify_peer, error);
  tls->set_verify_callback(ssl::host_name_verification(target.host), error);
  return {};
}

asio::awaitable<bool> Client::State::acquire_place(Call& call) {
  if (in_use < options.max_connections) {
    ++in_use;
    co_return true;
  }
  auto waiter = std::make_shared<Waiter>(executor);
  waiters.push_back(waiter);
  call.waiter = waiter;
  error_code ignored;
  co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  call.waiter.reset();
  if (!waiter->granted) std::erase(waiters, waiter);
  co_return waiter->granted;
}

void Client::State::release_place() {
  if (waiters.empty()) {
    --in_use;
    return;
  }
  waiters.front()->granted = true;  // the place goes from hand to hand, first come first served
  waiters.front()->timer.cancel();
  waiters.pop_front();
}

std::unique_ptr<Connection> Client::State::take_idle() {
  while (!idle.empty()) {
    auto connection = std::move(idle.back());
    idle.pop_back();
    const bool too_old = Clock::now() - connection->last_used > options.idle_timeout;
    if (!too_old && !connection->looks_dead()) return connection;
    connection->close();
  }
  return nullptr;
}

void Client::State::give_back(std::unique_ptr<Connection> connection) {
  if (closed || connection->buffer.size() > 0) return connection->close();
  connection->buffer.shrink_to_fit();
  connection->last_used = Clock::now();
  connection->reused = true;
  idle.push_back(std::move(connection));
}

void Client::State::Call::start(std::move_only_function<void()> on_finished) {
  finished = std::move(on_finished);
  stop_after(deadline, options.deadline, Stop::deadline);
  auto ended = [self = shared_from_this()](const std::exception_ptr& failure) {
    self->deadline.cancel();
    if (failure) self->fail(core::Error{core::Code::internal, "The call to " + self->server() + " failed", "", "", ""});
    self->finish();
  };
  asio::co_spawn(client->executor, run(shared_from_this()), std::move(ended));
}

void Client::State::Call::finish() {
  if (finished) asio::post(client->executor, std::exchange(finished, nullptr));
}

void Client::State::Call::stop_after(asio::steady_timer& timer, milliseconds duration, Stop reason) {
  timer.expires_after(std::clamp(duration, milliseconds(0), longest_deadline));
  timer.async_wait([weak = weak_from_this(), reason](const error_code& error) {
    const auto self = weak.lock();
    if (self && !error) self->stop(reason);
  });
}

void Client::State::Call::stop(Stop reason) {
  if (stopped != Stop::none) return;
  stopped = reason;
  error_code ignored;
  if (waiter) waiter->timer.cancel();
  if (resolver) resolver->cancel();
  if (connecting_tcp) connecting_tcp->close(ignored);
  if (connecting_unix) connecting_unix->close(ignored);
  if (connection) connection->close();
  fail(stopped_error());
  finish();
}

asio::awaitable<void> Client::State::Call::run(std::shared_ptr<Call> self) {
  struct Place {
    explicit Place(std::shared_ptr<State> the_client) : client(std::move(the_client)) {}
    ~Place() { client->release_place(); }
    std::shared_ptr<State> client;
  };
  const bool acquired = co_await self->client->acquire_place(*self);
  if (!acquired) {
    self->fail(self->stopped_error());
    co_return;
  }
  const Place place(self->client);
  co_await self->exchange();
  if (self->connection) self->connection->close();
}

asio::awaitable<void> Client::State::Call::exchange() {
  connection = client->take_idle();
  for (bool retried = false;; retried = true) {
    if (!connection) {
      const bool connected = co_await connect();
      if (!connected) co_return;
    }
    const error_code error = co_await try_once();
    if (!error) co_return;
    if (stopped != Stop::none) co_return fail(stopped_error());
    const bool idempotent = is_idempotent(request.method) && options.repeat_on_dead_connection;
    const bool repeatable = idempotent || written == 0;
    if (retried || !connection->reused || answer_started || !repeatable) co_return fail(failed_error(error));
    sent_before = sent_before || written > 0;
    written = 0;
    connection.reset();
    for (const auto& other : client->idle) other->close();  // they are as old as the one that was dead
    client->idle.clear();
  }
}

asio::awaitable<bool> Client::State::Call::connect() {
  stage = Stage::connecting;
  stop_after(connect_deadline, client->options.connect_timeout, Stop::connect_timeout);
  const bool is_unix = !client->target.unix_path.empty();
  error_code error;
  if (stopped != Stop::none) {
    error = asio::error::operation_aborted;
  } else if (is_unix) {
    error = co_await open_unix();
  } else {
    error = co_await open_tcp();
  }
  bool ready = !error && stopped == Stop::none;
  if (ready && client->target.tls) ready = co_await handshake();
  connect_deadline.cancel();
  if (stopped != Stop::none) {
    fail(stopped_error());
  } else if (error) {
    fail(broken_error(error.message()));
  }
  co_return ready && stopped == Stop::none;
}

asio::awaitable<error_code> Client::State::Call::open_tcp() {
  error_code error;
  const Target& target = client->target;
  std::vector<tcp::endpoint> endpoints;
  const auto address = asio::ip::make_address(target.host, error);
  if (!error) {
    endpoints.emplace_back(address, static_cast<std::uint16_t>(std::stoul(target.port)));
  } else {
    error.clear();
    resolver.emplace(client->executor);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    const auto found = co_await resolver->async_resolve(target.host, target.port, token);
    resolver.reset();
    if (error) co_return error;
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  }
  if (stopped != Stop::none) co_return asio::error::operation_aborted;
  connecting_tcp.emplace(client->executor);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await asio::async_connect(*connecting_tcp, endpoints, token);
  if (!error && stopped == Stop::none) {
    tune(*connecting_tcp);
    connection = std::make_unique<Connection>(Socket(std::move(*connecting_tcp)));
  }
  connecting_tcp.reset();
  co_return error;
}

asio::awaitable<error_code> Client::State::Call::open_unix() {
  error_code error;
  const asio::local::stream_protocol::endpoint endpoint(client->target.unix_path);
  connecting_unix.emplace(client->executor);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await connecting_unix->async_connect(endpoint, token);
  if (!error && stopped == Stop::none) {
    connection = std::make_unique<Connection>(Socket(std::move(*connecting_unix)));
  }
  connecting_unix.reset();
  co_return error;
}

asio::awaitable<bool> Client::State::Call::handshake() {
  connection->tls.emplace(connection->socket, *client->tls);
  SSL* handle = connection->tls->native_handle();
  error_code error;
  asio::ip::make_address(client->target.host, error);
  const bool is_name = static_cast<bool>(error);
  if (is_name) SSL_set_tlsext_host_name(handle, client->target.host.c_str());
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await connection->tls->async_handshake(ssl::stream_base::client, token);
  if (!error) co_return true;
  const long verdict = SSL_get_verify_result(handle);
  if (verdict == X509_V_OK) {
    fail(broken_error("the TLS handshake failed, " + error.message()));
  } else {
    fail(broken_error(std::string("its certificate was refused, ") + X509_verify_cert_error_string(verdict)));
  }
  co_return false;
}

asio::awaitable<error_code> Client::State::Call::try_once() {
  written = 0;
  answer_started = false;
  if (stopped != Stop::none) co_return asio::error::operation_aborted;
  stage = Stage::sending;
  const error_code write_error = co_await write();
  // A server that refuses a body closes its side early: its answer is worth more than the broken write.
  if (write_error && written == 0) co_return write_error;
  stage = Stage::answering;
  const error_code read_error = co_await read();
  co_return read_error;
}

asio::awaitable<error_code> Client::State::Call::write() {
  const std::string head = render_head(client->target, client->options.user_agent, request);
  std::array<asio::const_buffer, 2> parts;
  parts[0] = asio::buffer(head);
  parts[1] = asio::buffer(request.body);
  const auto count = [this](const error_code& error, std::size_t size) -> std::size_t {
    written = size;
    return error ? 0 : read_chunk * 16;
  };
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (connection->tls) {
    written = co_await asio::async_write(*connection->tls, parts, count, token);
  } else {
    written = co_await asio::async_write(connection->socket, parts, count, token);
  }
  co_return error;
}

asio::awaitable<error_code> Client::State::Call::read() {
  for (;;) {
    ResponseParser parser;
    parser.body_limit(options.response_limit);
    parser.header_limit(64U << 10);
    if (request.method == "HEAD") parser.skip(true);
    const error_code error = co_await read_message(parser);
    if (error) co_return error;
    if (parser.response.status / 100 == 1) continue;  // "100 Continue" and its kind come before the answer
    result = std::move(parser.response);
    if (parser.keep_alive() && stopped == Stop::none) client->give_back(std::move(connection));
    co_return error_code();
  }
}

asio::awaitable<error_code> Client::State::Call::read_message(ResponseParser& parser) {
  auto& buffer = connection->buffer;
  while (!parser.is_done()) {
    error_code error;
    if (buffer.size() > 0) {
      const std::size_t used = parser.put(buffer.data(), error);
      buffer.consume(used);
      if (!error) continue;
    }
    if (error && error != beast_http::error::need_more) co_return error;
    error = co_await read_more();
    if (error == asio::error::eof && parser.got_some()) {
      parser.put_eof(error);  // an answer without a length ends with the connection
      if (!error && parser.is_done()) break;
    }
    if (error) co_return error;
  }
  co_return error_code();
}

asio::awaitable<error_code> Client::State::Call::read_more() {
  error_code error;
  auto space = connection->buffer.prepare(read_chunk);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  std::size_t size = 0;
  if (connection->tls) {
    size = co_await connection->tls->async_read_some(space, token);
  } else {
    size = co_await connection->socket.async_read_some(space, token);
  }
  connection->buffer.commit(size);
  if (size > 0) answer_started = true;
  co_return error;
}

// What a deadline or a cancellation means depends on whether the request was under way.
core::Error Client::State::Call::stopped_error() const {
  const bool sent = written > 0 || sent_before || stage == Stage::answering;
  const std::string outcome = sent ? "the request was sent, its outcome is unknown" : "nothing was sent";
  if (stopped == Stop::cancelled) return {core::Code::cancelled, "The call to " + server() + " was stopped", outcome, "", ""};
  const char* next = "Check that the server runs and is not overloaded";
  if (sent) return {core::Code::timeout, server() + " did not answer in time", outcome, next, ""};
  if (stage == Stage::waiting) {
    return {core::Code::unavailable, server() + " was not asked in time", "all connections to it are busy", next, ""};
  }
  return {core::Code::unavailable, server() + " could not be reached", "no connection in time", next, ""};
}

core::Error Client::State::Call::failed_error(const error_code& error) const {
  if (error == beast_http::error::body_limit) {
    return {core::Code::protocol, "The answer of " + server() + " is too large",
            fmt::format("it is over the limit of {} bytes", options.response_limit), "", ""};
  }
  const bool from_parser = error.category() == beast_http::make_error_code(beast_http::error::bad_version).category();
  if (from_parser && error != beast_http::error::partial_message) {
    return {core::Code::protocol, "The answer of " + server() + " is not HTTP", error.message(),
            "Check that the address leads to the homeserver", ""};
  }
  return broken_error(error.message());
}

// A connection that could not be made or that broke. Reading changes nothing, so a lost answer to GET leaves no doubt.
core::Error Client::State::Call::broken_error(std::string why) const {
  const bool sent = written > 0 || sent_before;
  if (sent && request.method != "GET" && request.method != "HEAD") {
    return {core::Code::in_doubt, "The connection to " + server() + " broke after the request was sent", std::move(why),
            "The outcome must be looked up", ""};
  }
  return {core::Code::unavailable, server() + (sent ? " broke the connection off" : " could not be reached"),
          std::move(why), "Check that the server runs and that its address is right", ""};
}

core::Result<std::unique_ptr<Client>> Client::create(asio::any_io_executor executor, ClientOptions options) {
  auto target = parse_base_url(options.base_url);
  if (!target) return core::fail(std::move(target.error()));
  auto state = std::make_shared<State>(std::move(executor), std::move(options), std::move(*target));
  if (state->target.tls) {
    auto prepared = state->prepare_tls();
    if (!prepared) return core::fail(std::move(prepared.error()));
  }
  return std::unique_ptr<Client>(new Client(std::move(state)));
}

Client::Client(std::shared_ptr<State> state) : state_(std::move(state)) {}

Client::~Client() {
  state_->closed = true;
  close_idle();
}

void Client::close_idle() { state_->idle.clear(); }

asio::awaitable<core::Result<Response>> Client::send(Request request, CallOptions options) {
  if (!is_clean(request)) {
    co_return core::fail(core::Code::bad_input, "The request was not sent", "its head holds characters that HTTP forbids");
  }
  auto call = std::make_shared<State::Call>(state_, std::move(request), options);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    call->stopped = State::Call::Stop::cancelled;
    co_return core::fail(call->stopped_error());
  }
  auto start = [call](auto handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) {
      slot.assign([weak = std::weak_ptr(call)](asio::cancellation_type) {
        if (const auto running = weak.lock()) running->stop(State::Call::Stop::cancelled);
      });
    }
    call->start(std::move(handler));
  };
  auto operation =
      asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(start), asio::use_awaitable);
  co_await std::move(operation);
  co_return std::move(call->result);
}

}  // namespace steward::http
