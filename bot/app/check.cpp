#include "app/check.hpp"

#include <sys/stat.h>

#include <cstdio>
#include <exception>

#include "app/check_report.hpp"
#include "app/setup_files.hpp"
#include "app/setup_homeserver.hpp"
#include "app/setup_terminal.hpp"
#include "config/registration.hpp"
#include "core/text.hpp"

namespace steward::app {

namespace {

std::optional<mode_t> mode_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_mode & 0777;
}

void check_modes(Report& report, const config::Config& config) {
  const auto registration = mode_of(config.appservice.registration);
  if (registration && (*registration & 07) != 0) {
    report.fail(fmt::format("everybody on this machine can read {}, which gives full control of the server", config.appservice.registration),
                "chmod 640 " + config.appservice.registration);
  } else {
    report.ok("the registration is not readable by everybody");
  }
  const auto state = mode_of(config.bot.state_directory);
  if (!state) {
    report.fail("the state directory " + config.bot.state_directory + " is not there", "mkdir -m 700 " + config.bot.state_directory);
  } else if ((*state & 077) != 0) {
    report.fail("others can enter the state directory " + config.bot.state_directory, "chmod 700 " + config.bot.state_directory);
  } else {
    report.ok("the state directory is private");
  }
}

void check_registration_file(Report& report, const config::Config& config) {
  const auto text = read_text(config.appservice.registration);
  const auto parsed = text ? config::parse_registration(*text) : core::Result<config::Registration>(std::unexpected(text.error()));
  if (!parsed) return report.error(Verdict::fail, "registration", parsed.error(), "run steward setup");
  const std::string ours = config::exact_user_regex(config.bot.localpart, config.homeserver.server_name);
  bool exact = false;
  for (const config::Namespace& users : parsed->users) exact = exact || (users.regex == ours && users.exclusive);
  if (exact) {
    report.ok("the registration reserves the bot's name and no other");
  } else {
    report.warn("the registration's namespaces.users is not exactly the bot's own name", "set regex: '" + ours + "' with exclusive: true, restart Synapse");
  }
  if (parsed->rate_limited) {
    report.warn("the registration lets Synapse hold back the bot's messages", "set rate_limited: false in it, restart Synapse");
  }
  if (!parsed->msc4190) {
    report.warn("the registration lacks io.element.msc4190, which Synapse 1.121 to 1.140 needs", "set io.element.msc4190: true in it, restart Synapse");
  }
}

}  // namespace

void Report::error(Verdict verdict, std::string_view doing, const core::Error& error, std::string_view otherwise) {
  std::string what = doing.empty() ? error.what : fmt::format("{}: {}", doing, error.what);
  if (!error.why.empty()) what += ": " + error.why;
  if (!error.source.empty()) what += " (" + error.source + ")";
  findings_.push_back(Finding{verdict, std::move(what), error.next.empty() ? std::string(otherwise) : error.next});
}

std::optional<config::Config> check_files(Report& report, const std::string& path) {
  const auto config = config::load(path);
  if (!config) {
    const core::Error& error = config.error();
    const std::vector<std::string> problems = core::split(error.why, '\n');
    if (problems.size() < 2) {
      report.error(Verdict::fail, "", error, "mend that, then check again");
    } else {
      for (const std::string& problem : problems) {
        if (!core::trim(problem).empty()) report.fail(path + ": " + std::string(core::trim(problem)), "edit that line");
      }
    }
    return std::nullopt;
  }
  report.ok(path + " is read");
  check_modes(report, *config);
  check_registration_file(report, *config);
  return *config;
}

std::string to_line(const Finding& finding) {
  const std::string_view verdict = finding.verdict == Verdict::ok ? "ok   " : finding.verdict == Verdict::warn ? "warn " : "FAIL ";
  std::string text = fmt::format("{} {}", verdict, finding.what);
  if (!finding.mend.empty()) text += " — " + finding.mend;
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) text.replace(at, 1, "; ");
  return core::without_secrets(text);
}

int check(const CheckOptions& options) {
  Report report;
  std::size_t printed = 0;
  const auto print = [&report, &printed] {
    for (; printed < report.findings().size(); ++printed) say("{}", to_line(report.findings()[printed]));
  };
  const auto config = check_files(report, options.config);
  print();
  if (config) {
    core::remember_secret(config->appservice.as_token);
    core::remember_secret(config->appservice.hs_token);
    core::remember_secret(config->admin_token);
    boost::asio::io_context io(1);
    run_to_end(io, check_homeserver(report, io.get_executor(), *config));
    print();
    run_to_end(io, check_databases(report, io.get_executor(), *config));
    if (!options.homeserver_yaml.empty()) {
      const auto yaml = read_homeserver_yaml(options.homeserver_yaml);
      if (yaml) check_registrations(report, *config, *yaml);
      if (!yaml) report.error(Verdict::fail, "", yaml.error(), "check the path");
    }
    print();
  }
  int failures = 0, warnings = 0;
  for (const Finding& finding : report.findings()) {
    failures += finding.verdict == Verdict::fail ? 1 : 0;
    warnings += finding.verdict == Verdict::warn ? 1 : 0;
  }
  say("\n{} checks, {} FAIL, {} warn", report.findings().size(), failures, warnings);
  return failures == 0 ? finished : failed;
}

}  // namespace steward::app
