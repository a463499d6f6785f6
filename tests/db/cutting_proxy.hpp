// A TCP forwarder before PostgreSQL that can be closed, reopened, and made to cut when a word passes: an outage on demand,
// at the very moment of a COMMIT. One thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace steward::test {

class CuttingProxy {
 public:
  CuttingProxy(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {
    listen();
    thread_ = std::thread([this] { work(); });
  }
  ~CuttingProxy() {
    stop_ = true;
    thread_.join();
    close_all();
    if (listener_ >= 0) ::close(listener_);
  }

  std::string port() const { return std::to_string(own_port_); }
  // Refuses connections and cuts those there are, until open().
  void close() { want_open_ = false; settle(); }
  void open() { want_open_ = true; settle(); }
  // Cuts when the client's bytes hold `word`: before the server sees it, or right after it was passed on.
  void cut_at(std::string word, bool after) {
    std::lock_guard lock(mutex_);
    word_ = std::move(word);
    after_ = after;
  }

 private:
  struct Pair { int client, server; };

  void listen() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(own_port_);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0)
      throw std::runtime_error("the proxy cannot listen");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    own_port_ = ntohs(address.sin_port);
  }

  int dial() const {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host_.c_str(), port_.c_str(), &hints, &found) != 0) return -1;
    int fd = ::socket(found->ai_family, SOCK_STREAM, 0);
    if (::connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
      ::close(fd);
      fd = -1;
    }
    ::freeaddrinfo(found);
    return fd;
  }

  void settle() {
    while (is_open_ != want_open_) std::this_thread::yield();
  }

  void close_all() {
    for (Pair& pair : pairs_) {
      ::close(pair.client);
      ::close(pair.server);
    }
    pairs_.clear();
  }

  // False when the pair is to be cut.
  bool forward(int from, int to, bool from_client) {
    char buffer[65536];
    const ssize_t got = ::read(from, buffer, sizeof buffer);
    if (got <= 0) return false;
    bool cut = false, after = false;
    if (from_client) {
      std::lock_guard lock(mutex_);
      after = after_;
      cut = !word_.empty() && std::string_view(buffer, static_cast<std::size_t>(got)).find(word_) != std::string_view::npos;
      if (cut) word_.clear();
    }
    if (cut && !after) return false;
    if (::send(to, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) return false;
    return !cut;
  }

  void work() {
    while (!stop_) {
      if (is_open_ != want_open_) {
        if (want_open_) {
          listen();
        } else {
          close_all();
          ::close(listener_);
          listener_ = -1;
        }
        is_open_ = want_open_.load();
      }
      std::vector<pollfd> polled;
      if (listener_ >= 0) polled.push_back({listener_, POLLIN, 0});
      const std::size_t first = polled.size();
      for (const Pair& pair : pairs_) {
        polled.push_back({pair.client, POLLIN, 0});
        polled.push_back({pair.server, POLLIN, 0});
      }
      if (::poll(polled.data(), polled.size(), 5) <= 0) continue;
      std::vector<Pair> kept;
      for (std::size_t i = 0; i < pairs_.size(); ++i) {
        const Pair pair = pairs_[i];
        bool good = true;
        if (polled[first + 2 * i].revents) good = forward(pair.client, pair.server, true);
        if (good && polled[first + 2 * i + 1].revents) good = forward(pair.server, pair.client, false);
        if (good) {
          kept.push_back(pair);
        } else {
          ::close(pair.client);
          ::close(pair.server);
        }
      }
      pairs_ = std::move(kept);
      if (listener_ >= 0 && polled[0].revents) {
        const int client = ::accept(listener_, nullptr, nullptr);
        const int server = dial();
        if (server >= 0)
          pairs_.push_back({client, server});
        else
          ::close(client);
      }
    }
  }

  std::string host_, port_;
  std::uint16_t own_port_ = 0;
  int listener_ = -1;
  std::vector<Pair> pairs_;
  std::atomic<bool> stop_{false}, want_open_{true}, is_open_{true};
  std::mutex mutex_;
  std::string word_;
  bool after_ = false;
  std::thread thread_;
};

}  // namespace steward::test
