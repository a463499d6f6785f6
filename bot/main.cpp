// The program's subcommands: reads the command line and calls app. Every subcommand returns the exit code of the process.
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <CLI/CLI.hpp>
#include <boost/version.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>

#include "app/app.hpp"
#include "app/check.hpp"
#include "app/setup.hpp"
#include "command/command.hpp"
#include "command/help.hpp"
#include "commands/all.hpp"

namespace {

using namespace steward;

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int version() {
  print(fmt::format("synapse-steward {}\n  compiler  g++ {}\n  boost     {}.{}.{}\n  fmt       {}.{}.{}\n  openssl   {}\n",
                    STEWARD_VERSION, __VERSION__, BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100,
                    FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, OpenSSL_version(OPENSSL_VERSION)));
  return 0;
}

int commands(bool json) {
  const command::Table table(commands::all_commands());
  print((json ? command::commands_json(table.specs()) : command::reference_markdown(table.specs())) + "\n");
  return 0;
}

// Takes as many values as are given, also by repeating the option.
void add_list(CLI::App& app, const std::string& name, std::vector<std::string>& target, const std::string& text) {
  app.add_option(name, target, text)->expected(1)->take_all();
}

void add_setup_files(CLI::App& app, app::SetupOptions& options) {
  add_list(app, "--homeserver-yaml", options.homeserver_yaml,
           "Synapse's configuration, a file or folder; repeat it as Synapse's -c (a conf.d beside one file is read too)");
  app.add_option("--config", options.config, "the bot's configuration to write")->capture_default_str();
  app.add_option("--registration", options.registration, "the registration to write (default: registration.yaml beside the config)");
  app.add_option("--registration-path-in-synapse", options.registration_path_in_synapse, "where Synapse sees that file, if elsewhere");
  app.add_option("--state-directory", options.state_directory, "the bot's own folder (default: state beside the config)");
  app.add_option("--user", options.user, "the account that will run the bot; gets the files when root runs setup");
  app.add_flag("--print", options.print, "print both files, with their secrets, instead of writing them");
}

void add_setup_values(CLI::App& app, app::SetupOptions& options) {
  add_list(app, "--admin", options.admins, "who may command the bot, @you:example.org; repeat it for more");
  app.add_option("--server-name", options.server_name, "the server name (default: of homeserver.yaml)");
  app.add_option("--localpart", options.localpart, "the bot's name (default: steward)");
  app.add_option("--synapse-url", options.synapse_url, "where the bot reaches Synapse: http://host:port or unix:/path");
  app.add_option("--ca-file", options.ca_file, "certificate authority for an https --synapse-url");
  app.add_option("--bind", options.bind, "where the bot listens (default: 127.0.0.1:29340)");
  app.add_option("--bot-url", options.bot_url, "where Synapse reaches the bot (default: http:// and --bind)");
  add_list(app, "--allow-from", options.allow_from,
           "address range that may use the bot's token (default: loopback when Synapse is reached over loopback)");
  app.add_option("--database", options.database, "connection string of Synapse's database (default: of homeserver.yaml)");
  app.add_option("--store-database", options.store_database, "connection string for the bot's own tables, if elsewhere");
  app.add_flag("--grants", options.grants, "print the database roles with their rights, for psql, and do nothing else");
  app.add_flag("--no-database", options.no_database, "do not use Synapse's database: API commands only");
  app.add_option("--shared-secret-file", options.shared_secret_file, "file with registration_shared_secret");
  app.add_option("--admin-token-file", options.admin_token_file, "file with the access token of a server admin");
  app.add_flag("--no-wait", options.no_wait, "do not wait for Synapse's restart");
}

struct Arguments {
  std::string config = "steward.yaml";
  std::string line;
  bool yes = false, json = false;
  app::SetupOptions setup;
  app::CheckOptions check;
  app::RemoveOptions remove;
};

CLI::App& add(CLI::App& program, const std::string& name, const std::string& text, std::function<int()> action, int& result) {
  CLI::App& sub = *program.add_subcommand(name, text);
  sub.callback([action = std::move(action), &result] { result = action(); });
  return sub;
}

void add_config(CLI::App& sub, std::string& config) {
  sub.add_option("--config", config, "the bot's configuration")->capture_default_str();
}

void add_running(CLI::App& program, Arguments& a, int& result) {
  CLI::App& run = add(program, "run", "run the bot until it is told to stop", [&a] { return app::run(a.config); }, result);
  add_config(run, a.config);
  CLI::App& exec = add(program, "exec", "run one command as the server's admin, through the running bot or alone",
                       [&a] { return app::exec(a.config, a.line, a.yes, a.json); }, result);
  add_config(exec, a.config);
  exec.add_option("command", a.line, "the command as in the room, in quotes: '!purge-media 30d --dry-run'")->required();
  exec.add_flag("--yes", a.yes, "confirm the plan that the command makes");
  exec.add_flag("--json", a.json, "answer in JSON");
  CLI::App& list = add(program, "commands", "list the commands of the room", [&a] { return commands(a.json); }, result);
  list.add_flag("--json", a.json, "as JSON");
  add(program, "version", "versions of the program and its libraries", [] { return version(); }, result);
}

void add_installing(CLI::App& program, Arguments& a, int& result) {
  CLI::App& setup = add(program, "setup", "install the bot beside a Synapse; run it again after Synapse's restart",
                        [&a] { return app::setup(a.setup); }, result);
  add_setup_files(setup, a.setup);
  add_setup_values(setup, a.setup);
  CLI::App& check = add(program, "check", "the doctor: what is right, what is not, and how to mend it",
                        [&a] { return app::check(a.check); }, result);
  add_config(check, a.check.config);
  add_list(check, "--homeserver-yaml", a.check.homeserver_yaml, "Synapse's configuration: also looks at the other registrations");
  CLI::App& rotate = add(program, "rotate-tokens", "write new tokens into the registration",
                         [&a] { return app::rotate_tokens(a.config); }, result);
  add_config(rotate, a.config);
  CLI::App& remove = add(program, "remove", "take the bot's rights away and say what to take out",
                         [&a] { return app::remove(a.remove); }, result);
  add_config(remove, a.remove.config);
  add_list(remove, "--homeserver-yaml", a.remove.homeserver_yaml, "Synapse's configuration, for its shared secret");
  remove.add_option("--shared-secret-file", a.remove.shared_secret_file, "file with registration_shared_secret");
  remove.add_option("--admin-token-file", a.remove.admin_token_file, "file with the access token of a server admin");
  remove.add_option("--audit-file", a.remove.audit_file, "where to keep the audit (default: steward-audit.csv beside the config)");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("synapse-steward looks after a Synapse homeserver from a Matrix room", "steward");
  program.require_subcommand(1);
  Arguments arguments;
  int result = 0;
  add_running(program, arguments, result);
  add_installing(program, arguments, result);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "steward: a bug of this program: %s\n", error.what());
    return 1;
  }
  return result;
}
