// policies: what may go by itself, as data: media or rooms of a kind, a size, an age, with a bound on what one run takes. A policy is a
// schedule of !run-policy, which makes the plan of purge-media or clean-rooms and cuts it to the bound; their code does the work.
// I/O thread. The manual page is policies.md.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "command/parser.hpp"
#include "commands/all.hpp"
#include "commands/clean_rooms.hpp"
#include "commands/purge_media.hpp"
#include "commands/schedules.hpp"
#include "core/text.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using command::Answer;
using command::Argument;
using command::Arguments;
using command::Command;
using command::Context;
using command::Level;
using command::Role;
using command::Type;

namespace {

constexpr std::int64_t usual_files = 10'000, usual_rooms = 100;
constexpr const char* usual_time = "daily 04:00";
constexpr const char* remote_kind = "remote-media";
constexpr std::ptrdiff_t most_slices = 10;  // steps of a job
constexpr const char* base_parameter = "policy_of";  // whose code runs the plan

bool of_rooms(const Arguments& arguments) { return arguments.text("kind") == "rooms"; }
std::string base_of(const Arguments& arguments) { return of_rooms(arguments) ? "clean-rooms" : "purge-media"; }

core::Result<void> check_kind(const Arguments& arguments) {
  const bool rooms = of_rooms(arguments);
  for (const char* name : {"remote", "both", "min-size", "user", "type", "room"})
    if (rooms && arguments.has(name)) return core::fail(core::Code::bad_input, fmt::format("--{} is for media", name), "the policy is about rooms", "Leave it out.");
  for (const char* name : {"min-events", "max-events", "max-members", "direct", "include"})
    if (!rooms && arguments.has(name)) return core::fail(core::Code::bad_input, fmt::format("--{} is for rooms", name), "the policy is about media", "Leave it out.");
  return {};
}

Bound bound_of(const Arguments& arguments) {
  return {arguments.integer("at-most").value_or(of_rooms(arguments) ? usual_rooms : usual_files), arguments.size("at-most-size")};
}

RoomFilter filter_of(const Arguments& arguments) {
  RoomFilter filter;
  filter.min_events = arguments.integer("min-events");
  filter.max_events = arguments.integer("max-events");
  filter.max_members = arguments.integer("max-members");
  if (arguments.has("direct")) filter.direct = arguments.text("direct") == "only";
  return filter;
}

// What the base command's own specification knows under the same name, and the age under its name there.
Arguments for_base(const Arguments& arguments, const command::Spec& base) {
  Arguments passed(base);
  for (const Argument& argument : base.arguments)
    if (const auto given = arguments.all().find(argument.name); given != arguments.all().end()) passed.set(argument, given->second);
  if (const Argument* older = command::find_argument(base, "older")) passed.set(*older, arguments.list("age"));
  return passed;
}

std::int64_t count_of(const jobs::Item& item) { return item.kind == remote_kind ? item.rows : 1; }

// Neighbouring slices of the remote cache become one: each takes what is older with it, so that the last one says it all.
std::vector<jobs::Item> joined(std::vector<jobs::Item> items) {
  const auto slices = std::count_if(items.begin(), items.end(), [](const jobs::Item& item) { return item.kind == remote_kind; });
  const auto together = (slices + most_slices - 1) / most_slices;
  std::vector<jobs::Item> result;
  std::ptrdiff_t in_last = 0;
  for (jobs::Item& item : items) {
    const bool joins = item.kind == remote_kind && in_last > 0 && in_last < together;
    in_last = item.kind == remote_kind ? (joins ? in_last + 1 : 1) : 0;
    if (joins) {
      item.bytes += result.back().bytes;
      item.rows += result.back().rows;
      result.back() = std::move(item);
    } else {
      result.push_back(std::move(item));
    }
  }
  return result;
}

// Items in the plan's order while the bound holds. A file too large for what is left of it is passed over; a slice of the remote cache
// is not, because the next one takes it with it.
std::vector<jobs::Item> within(std::vector<jobs::Item> items, const Bound& bound) {
  std::vector<jobs::Item> taken;
  core::Bytes bytes;
  std::int64_t count = 0;
  for (jobs::Item& item : items) {
    const bool fits = count + count_of(item) <= bound.items && (!bound.bytes || bytes + item.bytes <= *bound.bytes);
    if (!fits && item.kind == remote_kind) break;
    if (!fits) continue;
    count += count_of(item);
    bytes += item.bytes;
    taken.push_back(std::move(item));
  }
  return joined(std::move(taken));
}

std::int64_t count_all(const std::vector<jobs::Item>& items) {
  std::int64_t count = 0;
  for (const jobs::Item& item : items) count += count_of(item);
  return count;
}

// What is left is for the next run.
void cut(jobs::Plan& plan, const Bound& bound) {
  const std::int64_t all = count_all(plan.items);
  const core::Bytes all_bytes = plan.bytes;
  plan.items = within(std::move(plan.items), bound);
  const std::int64_t taken = count_all(plan.items);
  if (taken == all) return;
  plan.bytes = {};
  plan.rows = 0;
  std::set<std::string> locks;
  for (const jobs::Item& item : plan.items) {
    plan.bytes += item.bytes;
    plan.rows += item.rows;
    locks.insert(item.kind + ":" + item.target);
  }
  std::erase_if(plan.locks, [&](const std::string& lock) { return lock.starts_with("room:") && !locks.contains(lock); });
  plan.word = std::to_string(taken);
  plan.title = fmt::format("{} of what follows, by the policy's bound: {}", core::format_count(taken), plan.title);
  std::string left = fmt::format("Left for the next run: {}", core::format_count(all - taken));
  if (all_bytes > plan.bytes) left += ", " + core::format_size(core::Bytes{all_bytes.count - plan.bytes.count});
  plan.lines.insert(plan.lines.begin(), std::move(left));
}

awaitable<core::Result<jobs::Plan>> plan_run(Arguments arguments, Context& context) {
  if (auto fits = check_kind(arguments); !fits) co_return core::fail(fits.error());
  const std::string name = base_of(arguments);
  const Command* base = context.services.table->find(name);
  if (!base) co_return core::fail(core::Code::internal, "This program has no command " + name);
  Arguments passed = for_base(arguments, base->spec);
  const RoomFilter filter = filter_of(arguments);
  auto planning = of_rooms(arguments) ? plan_clean_rooms_within(std::move(passed), filter, context) : plan_purge_media_finely(std::move(passed), context);
  auto plan = co_await std::move(planning);
  if (!plan) co_return core::fail(plan.error());
  plan->command = policy_command;
  plan->parameters[base_parameter] = name;
  cut(*plan, bound_of(arguments));
  co_return plan;
}

awaitable<core::Result<jobs::Receipt>> run(jobs::Plan plan, jobs::Progress& progress, Context& context) {
  const auto name = plan.parameters.find(base_parameter);
  const Command* base = name == plan.parameters.end() ? nullptr : context.services.table->find(name->second);
  if (!base || !base->run) co_return core::fail(core::Code::internal, "The plan does not say whose it is");
  co_return co_await base->run(std::move(plan), progress, context);
}

// "run-policy media 90d --remote --at-most 10000", which reads back as the same.
std::string line_of(const Arguments& arguments, const command::Spec& spec) {
  std::string line(policy_command);
  for (const Argument& argument : spec.arguments) {
    if (!arguments.has(argument.name) || argument.name == "dry-run") continue;
    if (argument.kind == Argument::Kind::flag) line += " --" + argument.name;
    else line += (argument.kind == Argument::Kind::option ? " --" + argument.name + " " : std::string(" ")) + command::quote(core::join(arguments.list(argument.name), ","));
  }
  return line;
}

awaitable<core::Result<jobs::Plan>> plan_add(Arguments arguments, Context& context) {
  if (auto fits = check_kind(arguments); !fits) co_return core::fail(fits.error());
  const Command* policy = context.services.table->find(policy_command);
  if (!policy) co_return core::fail(core::Code::internal, "This program has no policies");
  std::string when = arguments.text("when");
  co_return co_await plan_schedule("add-policy", std::move(when), line_of(arguments, policy->spec), bound_of(arguments), context);
}

awaitable<core::Result<Answer>> remove(Arguments arguments, Context& context) {
  Answer answer;
  for (const std::string& word : arguments.list("number")) {
    auto schedule = co_await find_schedule(std::stoll(word), context);
    if (!schedule) co_return core::fail(schedule.error());
    if (!is_policy(*schedule))
      co_return core::fail(core::Code::bad_input, fmt::format("{} is no policy", schedule->number), "it is another schedule", fmt::format("!schedule remove {}", schedule->number));
    auto removed = co_await context.stores().schedules.remove(schedule->number);
    if (!removed) co_return core::fail(removed.error());
    const std::string what = schedule->line.substr(policy_command.size() + 1);
    answer.message.paragraph(fmt::format("Policy {} is removed. Undo: !policy add {} --when {}", schedule->number, what, command::quote(schedule->timetable)));
  }
  co_return answer;
}

std::vector<Argument> policy_arguments() {
  Argument kind = command::positional("kind", Type::choice, "what it is about");
  kind.choices = {"media", "rooms"};
  Argument age = command::positional("age", Type::age, "media not opened, rooms without an event for this long");
  age.minimum = std::chrono::hours(24);
  return {
      std::move(kind),
      std::move(age),
      command::flag("remote", "media: only the cache of other servers", Level::slows),
      command::flag("both", "media: what was uploaded here and the cache", Level::deletes),
      command::option("min-size", Type::size, "media: only files larger than this"),
      command::option("user", Type::user, "media: only what this user uploaded"),
      command::option("type", Type::word, "media: only this type: image, video, image/png"),
      command::option("room", Type::room, "media: only what unencrypted messages of this room name"),
      command::option("min-events", Type::integer, "rooms: only with so many events or more"),
      command::option("max-events", Type::integer, "rooms: only with so many events or fewer"),
      command::option("max-members", Type::integer, "rooms: only with so many people on other servers or fewer"),
      command::choice_option("direct", {"only", "not"}, "rooms: only those of two people, or none of them"),
      command::repeated_option("include", Type::choice, "rooms: also those kept for this reason", includable_words()),
      command::option("at-most", Type::integer, "the bound of one run: 10000 files, 100 rooms when it is not given"),
      command::option("at-most-size", Type::size, "the same in bytes of media"),
      command::standard::dry_run(),
  };
}

Command base(std::string name, std::string summary) {
  Command command;
  command.spec.name = std::move(name);
  command.spec.group = command::Group::schedules;
  command.spec.summary = std::move(summary);
  command.spec.safe_while_running = "yes";
  command.spec.sources = "A S";
  command.manual = manual("policies");
  return command;
}

}  // namespace

Command policies() {
  Command command = base("policies", "What goes by itself, by which rule");
  command.spec.role = Role::operator_;
  command.spec.arguments = {command::standard::limit()};
  command.spec.examples = {{"policies", ""}};
  command.answer = [](Arguments arguments, Context& context) { return list_schedules(std::move(arguments), true, context); };
  return command;
}

Command add_policy() {
  Command command = base("add-policy", "Let media or rooms go by a rule: `!policy add media 90d --remote`");
  command.spec.level = Level::reversible;
  command.spec.control = true;
  command.spec.arguments = policy_arguments();
  Argument when = command::option("when", Type::text, "when it runs");
  when.default_text = usual_time;
  command.spec.arguments.push_back(std::move(when));
  command.spec.examples = {{"policy add media 90d --remote --at-most-size 10G", "the cache, ten gigabytes a night"},
                           {"policy add rooms 1y --direct only --when \"sun 04:00\"", "abandoned conversations of two"}};
  command.plan = plan_add;
  command.run = make_schedule;
  return command;
}

Command remove_policy() {
  Command command = base("remove-policy", "Take policies away");
  command.spec.level = Level::reversible;
  command.spec.control = true;
  command.spec.arguments = {command::list_of("number", Type::integer, "of the policy, as !policies shows it")};
  command.spec.examples = {{"policy remove 3", ""}};
  command.answer = remove;
  return command;
}

Command run_policy() {
  Command command = base(std::string(policy_command), "Do what a policy would do now, once, within its bound");
  command.spec.level = Level::deletes;  // rooms: the plan of clean-rooms says more
  command.spec.arguments = policy_arguments();
  command.spec.examples = {{"run-policy rooms 1y --max-members 2 --dry-run", "what such a policy would take"}};
  command.plan = plan_run;
  command.run = run;
  return command;
}

}  // namespace steward::commands
