// purge-media: deletes media that nobody has opened for a while; local media for good, the cache of other servers' media so that
// it is fetched again when needed. The plan is Synapse's own selection over its media tables; the act is its admin API, so that
// files go with the rows. I/O thread; SQL through the read session. The manual page is purge_media.md.
#include <fmt/format.h>

#include "command/context.hpp"
#include "commands/all.hpp"
#include "commands/media_deletion.hpp"
#include "commands/media_selection.hpp"
#include "commands/purge_media.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Type;

namespace {

constexpr auto least_age = std::chrono::hours(24);

// "image/*" and "image/" mean "image".
std::string type_of(const Arguments& arguments) {
  std::string type = core::to_lower_ascii(arguments.text("type"));
  if (type.ends_with("/*")) type.pop_back();
  if (type.ends_with('/')) type.pop_back();
  return type;
}

core::Result<MediaChoice> choice_from(const Arguments& arguments, const Context& context) {
  MediaChoice choice;
  choice.server_name = context.options().server_name;
  if (const auto size = arguments.size("min-size")) choice.larger = *size;
  choice.include_profiles = arguments.flag("include-profiles");
  if (const auto user = arguments.user("user")) choice.user = user->str();
  choice.type = type_of(arguments);
  if (arguments.flag("remote") || arguments.flag("both"))
    for (const char* option : {"min-size", "user", "type", "include-profiles", "room"})
      if (arguments.has(option))
        return core::fail(core::Code::bad_input, fmt::format("--{} is for local media only", option),
                          "Synapse purges the cache of remote media by age alone", "leave it out, or leave out --remote and --both");
  return choice;
}

// Media of a room stand in its messages, not in the database; the API reads the unencrypted ones.
awaitable<core::Result<void>> limit_to_room(core::RoomId room, MediaChoice& choice, jobs::Plan& plan, Context& context) {
  auto info = co_await context.admin().room(room);
  if (!info) co_return core::fail(info.error());
  auto media = co_await context.admin().room_media(room);
  if (!media) co_return core::fail(media.error());
  choice.ids.emplace();
  for (const core::MediaId& each : *media)
    if (each.server == choice.server_name) choice.ids->push_back(each.id);
  plan.lines.push_back(fmt::format("Room: {}, {} local media named by its unencrypted messages{}",
                                   core::clean_name(info->name.empty() ? room.str() : info->name),
                                   core::format_count(static_cast<std::int64_t>(choice.ids->size())),
                                   info->encryption.empty() ? "" : "; it is encrypted now, and what encrypted messages name nobody can tell"));
  co_return core::Result<void>();
}

void tell_local(jobs::Plan& plan, const LocalMedia& local, const std::string& date) {
  plan.title = local.wanted.files == 0 ? fmt::format("No local media that was not opened since {}", date)
                                       : fmt::format("Local media not opened since {}: {}, deleted for good", date, in_words(local.wanted));
  if (!local.chosen.empty()) plan.lines.push_back("By user: " + by_user(local));
}

void tell_remote(jobs::Plan& plan, const RemoteMedia& remote, const std::string& date) {
  plan.title = remote.wanted.files == 0 ? fmt::format("No cached media of other servers that was not opened since {}", date)
                                        : fmt::format("Cache of other servers' media, not opened since {}: {}, fetched again when needed", date, in_words(remote.wanted));
}

awaitable<core::Result<jobs::Plan>> make_plan(Arguments arguments, Slices slices, Context& context) {
  auto choice = choice_from(arguments, context);
  if (!choice) co_return core::fail(choice.error());
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  jobs::Plan plan;
  plan.command = "purge-media";
  auto known = co_await check_owner(choice->user, choice->server_name, **read);
  if (!known) co_return core::fail(known.error());
  if (const auto room = arguments.room("room")) {
    auto limited = co_await limit_to_room(*room, *choice, plan, context);
    if (!limited) co_return core::fail(limited.error());
  }
  auto now = co_await database_now(**read);
  if (!now) co_return core::fail(now.error());
  const std::int64_t before_ms = *now - std::chrono::duration_cast<std::chrono::milliseconds>(*arguments.age("age")).count();
  choice->before_ms = before_ms;

  const bool with_remote = arguments.flag("remote") || arguments.flag("both");
  const bool with_local = !arguments.flag("remote");
  auto local = co_await select_local(**read, *choice, with_local);
  if (!local) co_return core::fail(local.error());
  if (!with_remote) slices = Slices::none;
  auto remote = co_await select_remote(**read, before_ms, slices);
  if (!remote) co_return core::fail(remote.error());

  const std::string date = core::format_date(core::from_unix_ms(before_ms), context.options().time_zone);
  plan.level = static_cast<int>(with_local ? Level::deletes : Level::slows);
  store_choice(plan, *choice);
  plan.parameters["unit"] = !with_remote ? "files" : with_local ? "steps" : "parts";
  if (with_local) {
    tell_local(plan, *local, date);
    add_local(plan, *local, *choice);
    if (with_remote) plan.lines.push_back("Remote cache of the same age: " + in_words(remote->wanted) + ", fetched again when needed; goes too");
    else plan.lines.push_back("Remote cache of the same age: " + in_words(remote->wanted) + " (fetched again when needed); stays, --remote or --both takes it");
  } else {
    tell_remote(plan, *remote, date);
    plan.lines.push_back("Local media of the same age: " + in_words(local->wanted) + "; not touched");
  }
  if (with_remote) add_remote(plan, *remote, context.options().time_zone);
  if (with_local) raise_level(plan, *local, context.options().share);
  co_return plan;
}

awaitable<core::Result<jobs::Plan>> make_user_plan(Arguments arguments, Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  MediaChoice choice;
  choice.server_name = context.options().server_name;
  choice.user = arguments.user("user")->str();
  choice.include_profiles = arguments.flag("include-profiles");
  choice.larger = core::Bytes{-1};
  auto known = co_await check_owner(choice.user, choice.server_name, **read);
  if (!known) co_return core::fail(known.error());
  std::string since;
  if (const auto age = arguments.age("age")) {
    auto now = co_await database_now(**read);
    if (!now) co_return core::fail(now.error());
    choice.before_ms = *now - std::chrono::duration_cast<std::chrono::milliseconds>(*age).count();
    since = " not opened since " + core::format_date(core::from_unix_ms(*choice.before_ms), context.options().time_zone);
  }
  auto local = co_await select_local(**read, choice, true);
  if (!local) co_return core::fail(local.error());
  jobs::Plan plan;
  plan.command = "purge-user-media";
  plan.level = static_cast<int>(Level::deletes);
  plan.title = fmt::format("Media of {}{}: {}", choice.user, since,
                           local->wanted.files == 0 ? std::string("none to delete") : in_words(local->wanted) + ", deleted for good");
  store_choice(plan, choice);
  plan.parameters["unit"] = "files";
  add_local(plan, *local, choice);
  raise_level(plan, *local, context.options().share);
  co_return plan;
}

command::Argument which(std::string name, std::string text, std::optional<Level> level) {
  command::Argument argument = command::flag(std::move(name), std::move(text), level);
  argument.only_one_of = "kind of media";
  return argument;
}

command::Argument age_argument(command::Argument argument) {
  argument.minimum = least_age;
  return argument;
}

}  // namespace

awaitable<core::Result<jobs::Plan>> plan_purge_media_finely(Arguments arguments, Context& context) {
  return make_plan(std::move(arguments), Slices::fine, context);
}

Command purge_media() {
  Command command;
  command.spec.name = "purge-media";
  command.spec.alias = "pm";
  command.spec.group = command::Group::media;
  command.spec.summary = "Delete media that nobody has opened for a while";
  command.spec.level = Level::deletes;
  command.spec.safe_while_running = "yes; three requests to Synapse at a time";
  command.spec.sources = "A S";
  command.spec.arguments = {
      age_argument(command::positional("age", Type::age, "not opened for this long, for example 30d")),
      which("local", "what was uploaded here; this is the default", std::nullopt),
      which("remote", "only the cache of other servers' media, fetched again when needed", Level::slows),
      which("both", "local media and the cache", Level::deletes),
      command::option("min-size", Type::size, "only files larger than this"),
      command::option("user", Type::user, "only what this user uploaded"),
      command::option("type", Type::word, "only this type: image, video, image/png"),
      command::option("room", Type::room, "only what unencrypted messages of this room name"),
      command::flag("include-profiles", "pictures of users and rooms, too"),
      command::standard::dry_run(),
  };
  command.spec.examples = {{"purge-media 30d --dry-run", "what would go"},
                           {"purge-media 90d --remote", "only the cache"},
                           {"purge-media 1y --min-size 10M --type video", ""}};
  command.manual = manual("purge_media");
  command.plan = [](Arguments arguments, Context& context) { return make_plan(std::move(arguments), Slices::usual, context); };
  command.run = delete_media;
  return command;
}

Command purge_user_media() {
  Command command;
  command.spec.name = "purge-user-media";
  command.spec.group = command::Group::media;
  command.spec.summary = "Delete what a user uploaded";
  command.spec.level = Level::deletes;
  command.spec.safe_while_running = "yes; three requests to Synapse at a time";
  command.spec.sources = "A S";
  command.spec.arguments = {
      command::positional("user", Type::user, "whose media"),
      age_argument(command::optional_positional("age", Type::age, "only what was not opened for this long")),
      command::flag("include-profiles", "pictures of users and rooms, too"),
      command::standard::dry_run(),
  };
  command.spec.examples = {{"purge-user-media @ann", "all of it"}, {"purge-user-media @ann 90d", ""}};
  command.manual = manual("purge_user_media");
  command.plan = make_user_plan;
  command.run = delete_media;
  return command;
}

}  // namespace steward::commands
