// Stopping, starting and the other configured programs of the machine, with the rules that hold whoever asks: one stop in ten
// minutes, a window that ends by itself, a start that is waited for and never killed while Synapse is at work. Used by server and
// upgrade. I/O thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "http/client.hpp"
#include "host/notes.hpp"
#include "host/request.hpp"
#include "host/settings.hpp"
#include "synapse/admin_client.hpp"

namespace steward::host {

using Say = std::function<void(std::string)>;  // a line for who asked, and for the log

class Actions {
 public:
  static core::Result<std::unique_ptr<Actions>> create(boost::asio::any_io_executor io, Settings settings);

  boost::asio::awaitable<Ending> stop(Say say);
  boost::asio::awaitable<Ending> start(Say say);
  boost::asio::awaitable<Ending> restart(Say say);
  boost::asio::awaitable<Ending> backup(Say say);
  boost::asio::awaitable<Ending> disk(Say say);
  boost::asio::awaitable<Ending> upgrade(std::string version, Say say);
  // An upgrade that was under way when this program ended: brought up, or back. Nothing to do in most lives.
  boost::asio::awaitable<void> finish_upgrade(Say say);
  Ending dump(const Say& say) const;
  Ending state(const Say& say) const;
  // True when Synapse was stopped for longer than the window allows.
  bool window_is_over() const;

 private:
  struct Ended { bool good = false; std::string why; };
  struct Came { bool up = false; std::string version, why; };
  struct Upgrade { std::string version, environment, before, version_before; };

  Actions(boost::asio::any_io_executor io, Settings settings, std::unique_ptr<http::Client> http);
  boost::asio::awaitable<Ended> run(Words words, std::chrono::seconds limit, Say say);
  std::string why_no_stop() const;  // empty: it may be stopped
  core::Result<void> note_stop();
  boost::asio::awaitable<Ended> stop_synapse(Say say);
  boost::asio::awaitable<Came> start_synapse(Words words, Say say);
  boost::asio::awaitable<bool> answers();
  // upgrade.cpp
  core::Result<Upgrade> prepare(const std::string& version) const;
  boost::asio::awaitable<Ended> build(Upgrade upgrade, Say say);
  Ending way_back(const Upgrade& upgrade, const Say& say) const;
  boost::asio::awaitable<Ending> bring_up(Upgrade upgrade, Say say);
  boost::asio::awaitable<Ending> go_back(Upgrade upgrade, std::string why, Say say);

  boost::asio::any_io_executor io_;
  Settings settings_;
  std::unique_ptr<http::Client> http_;
  synapse::AdminClient admin_;
  Notes notes_;
};

}  // namespace steward::host
