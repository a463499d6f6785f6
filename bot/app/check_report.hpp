// The findings of one run of the doctor, and the parts of it. Used by check*.cpp only. I/O thread.
#pragma once

#include <fmt/format.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/check.hpp"
#include "app/homeserver_yaml.hpp"
#include "config/config.hpp"
#include "core/error.hpp"

namespace steward::app {

class Report {
 public:
  void ok(std::string what) { findings_.push_back(Finding{Verdict::ok, std::move(what), {}}); }
  void warn(std::string what, std::string mend) { findings_.push_back(Finding{Verdict::warn, std::move(what), std::move(mend)}); }
  void fail(std::string what, std::string mend) { findings_.push_back(Finding{Verdict::fail, std::move(what), std::move(mend)}); }
  // The error's words as a finding; `otherwise` mends where the error itself does not say how.
  void error(Verdict verdict, std::string_view doing, const core::Error& error, std::string_view otherwise);
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  std::vector<Finding> findings_;
};

// steward.yaml and the files it names. nullopt when nothing else can be checked.
std::optional<config::Config> check_files(Report& report, const std::string& path);
// Version, clock, registration, users, right, reach. False: Synapse does not answer.
boost::asio::awaitable<bool> check_homeserver(Report& report, boost::asio::any_io_executor io, const config::Config& config);
// Both databases: reach, identity, rights, schema, Synapse's queue for us, the bot's memory. Always true.
boost::asio::awaitable<bool> check_databases(Report& report, boost::asio::any_io_executor io, const config::Config& config);
// Every registration that Synapse reads: whose namespace covers an admin or the bot.
void check_registrations(Report& report, const config::Config& config, const HomeserverYaml& yaml);

// What one other registration may do to us; its text as it stands in the file. For tests.
void judge_registration(Report& report, const config::Config& config, const std::string& path, const std::string& text);

}  // namespace steward::app
