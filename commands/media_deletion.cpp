#include "commands/media_deletion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "async/tasks.hpp"
#include "commands/media_selection.hpp"
#include "core/ids.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "sql/statements.hpp"

namespace steward::commands {

using boost::asio::awaitable;
using jobs::ItemOutcome;
using State = ItemOutcome::State;

namespace {

constexpr int in_flight = 3;
constexpr auto try_again_after = std::chrono::seconds(5);
constexpr auto give_up_after = std::chrono::minutes(5);
constexpr auto recount_every = std::chrono::seconds(2);
constexpr int quiet_recounts = 5;
// Pictures have no index: they are read as a whole, as often as costs a twentieth of the time.
constexpr int picture_share = 20;
constexpr std::size_t verified_at_once = 10000;

bool worth_waiting(const core::Error& error) { return core::is_temporary(error) || error.code == core::Code::in_doubt; }

class Deletion {
 public:
  Deletion(MediaChoice choice, jobs::Progress& progress, command::Context& context, db::Session& read)
      : choice_(std::move(choice)), progress_(progress), context_(context), read_(read), turn_(context.services.io) {}

  awaitable<core::Result<void>> load_pictures();
  awaitable<ItemOutcome> act(db::ItemRow item);
  awaitable<ItemOutcome> settle(db::ItemRow item);
  // What ended the work early.
  const std::optional<core::Error>& gave_up() const { return gave_up_; }

 private:
  struct Look {
    bool present = false;
    std::string kept;  // why it no longer qualifies; empty: it does
  };
  awaitable<core::Result<Look>> look(std::string media_id);
  awaitable<ItemOutcome> act_local(db::ItemRow item);
  awaitable<ItemOutcome> purge_slice(db::ItemRow item);
  awaitable<ItemOutcome> after_lost_answer(std::int64_t before_ms, MediaCount before);
  awaitable<core::Result<MediaCount>> left(std::int64_t before_ms);
  // False when the work is to end: somebody stopped it, or the trouble lasts too long.
  awaitable<bool> wait_for_better_times(core::Error error);

  MediaChoice choice_;
  jobs::Progress& progress_;
  command::Context& context_;
  db::Session& read_;
  std::set<std::string, std::less<>> pictures_;
  std::chrono::steady_clock::time_point pictures_until_;
  bool loading_ = false;
  std::optional<std::chrono::steady_clock::time_point> trouble_since_;
  std::optional<core::Error> gave_up_;
  async::Signal turn_;
  int next_ticket_ = 0, serving_ = 0;
};

awaitable<core::Result<void>> Deletion::load_pictures() {
  if (choice_.include_profiles || loading_ || std::chrono::steady_clock::now() < pictures_until_) co_return core::Result<void>();
  loading_ = true;
  const auto started = std::chrono::steady_clock::now();
  db::Arguments arguments;
  arguments.emplace_back("server", choice_.server_name);
  auto rows = co_await read_.query_within(std::chrono::minutes(5), db::sql::media_avatars, std::move(arguments));
  loading_ = false;
  if (!rows) co_return core::fail(rows.error());
  pictures_.clear();
  for (const db::Row& row : *rows) pictures_.insert(row.text("media_id"));
  const auto now = std::chrono::steady_clock::now();
  pictures_until_ = now + (now - started) * picture_share;
  co_return core::Result<void>();
}

awaitable<core::Result<Deletion::Look>> Deletion::look(std::string media_id) {
  auto loaded = co_await load_pictures();
  if (!loaded) co_return core::fail(loaded.error());
  db::Arguments arguments;
  arguments.emplace_back("media_id", media_id);
  arguments.emplace_back("before", choice_.before_ms ? db::bind(*choice_.before_ms) : db::Value());
  auto rows = co_await read_.query(db::sql::media_local_state, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  Look found;
  if (rows->empty()) co_return found;
  const db::Row& row = rows->front();
  found.present = true;
  if (row.boolean("opened")) found.kept = "opened meanwhile";
  else if (row.boolean("quarantined")) found.kept = "quarantined meanwhile";
  else if (row.boolean("protected")) found.kept = "protected meanwhile";
  else if (pictures_.contains(media_id)) found.kept = "in use as a picture meanwhile";
  co_return found;
}

awaitable<bool> Deletion::wait_for_better_times(core::Error error) {
  const auto now = std::chrono::steady_clock::now();
  if (!trouble_since_) trouble_since_ = now;
  if (!worth_waiting(error) || now - *trouble_since_ > give_up_after) {
    if (!gave_up_) gave_up_ = std::move(error);
    co_return false;
  }
  progress_.header("waiting: " + error.what);
  co_return co_await progress_.wait(try_again_after);
}

awaitable<ItemOutcome> Deletion::act_local(db::ItemRow item) {
  const auto media = core::parse_media_id(item.target);
  if (!media) co_return outcome(State::failed, "not a media id");
  bool asked = false;
  while (!gave_up_) {
    auto found = co_await look(media->id);
    if (!found) {
      const bool again = co_await wait_for_better_times(found.error());
      if (again) continue;
      break;
    }
    if (!found->present || !found->kept.empty()) {
      // Gone after a call whose answer was lost: that call did it.
      if (found->present || !asked) co_return outcome(State::kept, found->present ? found->kept : "gone already");
      break;
    }
    auto deleted = co_await context_.admin().delete_local_media(*media);
    if (deleted) {
      trouble_since_.reset();
      ItemOutcome done = outcome(*deleted ? State::done : State::kept, *deleted ? "" : "gone already");
      if (*deleted) {
        done.bytes = core::Bytes{item.bytes};
        done.rows = 1;
        done.notice = core::format_size(done.bytes);
      }
      co_return done;
    }
    if (deleted.error().code == core::Code::rejected) co_return outcome(State::failed, core::describe(deleted.error()));
    asked = asked || deleted.error().code != core::Code::unavailable;
    const bool again = co_await wait_for_better_times(deleted.error());
    if (!again) break;
  }
  if (!asked) co_return outcome(State::given_back, "");
  co_return co_await settle(std::move(item));
}

awaitable<core::Result<MediaCount>> Deletion::left(std::int64_t before_ms) {
  db::Arguments arguments;
  arguments.emplace_back("before", db::bind(before_ms));
  auto rows = co_await read_.query_within(std::chrono::minutes(5), db::sql::media_remote_left, std::move(arguments));
  if (!rows) co_return core::fail(rows.error());
  co_return MediaCount{rows->front().integer("files"), core::Bytes{rows->front().integer("bytes")}};
}

// Synapse goes on with a purge whose caller is gone: wait until the count rests. A second call must not meet the first.
awaitable<ItemOutcome> Deletion::after_lost_answer(std::int64_t before_ms, MediaCount before) {
  MediaCount last = before;
  for (int quiet = 0; quiet < quiet_recounts;) {
    auto now = co_await left(before_ms);
    if (!now) co_return outcome(State::unknown, core::describe(now.error()));
    quiet = now->files == last.files ? quiet + 1 : 0;
    last = *now;
    if (last.files == 0) break;
    const bool on = co_await progress_.wait(recount_every);
    if (!on) co_return outcome(State::given_back, "");
  }
  if (last.files > 0) co_return outcome(State::given_back, "");
  ItemOutcome done = outcome(State::done, "the answer was lost; counted instead");
  done.rows = before.files;
  done.bytes = before.bytes;
  co_return done;
}

awaitable<ItemOutcome> Deletion::purge_slice(db::ItemRow item) {
  const std::int64_t before_ms = std::stoll(item.note);
  while (!gave_up_ && !progress_.stopping()) {
    auto before = co_await left(before_ms);
    if (!before) {
      const bool again = co_await wait_for_better_times(before.error());
      if (again) continue;
      break;
    }
    if (before->files == 0) co_return outcome(State::kept, "opened meanwhile or gone already");
    auto purged = co_await context_.admin().purge_remote_media(before_ms);
    if (!purged && purged.error().code == core::Code::unavailable) {
      const bool again = co_await wait_for_better_times(purged.error());
      if (again) continue;
      break;
    }
    if (!purged && worth_waiting(purged.error())) co_return co_await after_lost_answer(before_ms, *before);
    if (!purged) co_return outcome(State::failed, core::describe(purged.error()));
    trouble_since_.reset();
    auto after = co_await left(before_ms);
    if (!after) co_return outcome(State::unknown, core::describe(after.error()));
    ItemOutcome done;
    done.rows = *purged;
    done.bytes = core::Bytes{before->bytes.count - after->bytes.count};
    done.notice = core::plural(*purged, "file", "files") + ", " + core::format_size(done.bytes);
    if (after->files > 0) {
      done.state = State::failed;
      done.text = fmt::format("{} of them Synapse could not remove; its log says why", core::format_count(after->files));
      done.notice += "; " + done.text;
    } else if (before->files != *purged) {
      done.text = fmt::format("{} were opened meanwhile and stay", core::format_count(before->files - *purged));
      done.notice += "; " + done.text;
    }
    co_return done;
  }
  co_return outcome(State::given_back, "");
}

awaitable<ItemOutcome> Deletion::act(db::ItemRow item) {
  if (gave_up_) co_return outcome(State::given_back, "");
  if (item.kind == "media") co_return co_await act_local(std::move(item));
  // One slice at a time and in their order: each purge takes all before it too.
  const int ticket = next_ticket_++;
  while (ticket != serving_) co_await turn_.wait_regardless(std::chrono::seconds(1));
  ItemOutcome made = co_await purge_slice(std::move(item));
  ++serving_;
  turn_.notify();
  co_return made;
}

awaitable<ItemOutcome> Deletion::settle(db::ItemRow item) {
  if (item.kind != "media") {
    const std::int64_t before_ms = std::stoll(item.note);
    auto before = co_await left(before_ms);
    if (!before) co_return outcome(State::unknown, core::describe(before.error()));
    // What an earlier life purged is not known any more by its numbers; the plan's are the best there is.
    if (before->files > 0) co_return co_await after_lost_answer(before_ms, *before);
    ItemOutcome done = outcome(State::done, "finished while the bot was away; counted as planned");
    done.rows = item.rows;
    done.bytes = core::Bytes{item.bytes};
    co_return done;
  }
  const auto media = core::parse_media_id(item.target);
  if (!media) co_return outcome(State::failed, "not a media id");
  auto found = co_await look(media->id);
  if (!found) co_return outcome(State::unknown, core::describe(found.error()));
  if (found->present) co_return outcome(State::given_back, "");
  ItemOutcome done = outcome(State::done, "");
  done.rows = 1;
  done.bytes = core::Bytes{item.bytes};
  co_return done;
}

struct Recount {
  std::int64_t checked = 0;
  std::int64_t still_there = 0;
  std::vector<std::string> remarks;  // of items that are done, but not quite as planned
};

awaitable<core::Result<Recount>> recount(std::int64_t job, command::Context& context, db::Session& read) {
  Recount counted;
  const std::vector<std::string> done{"done"};
  auto items = co_await context.stores().jobs.items(job, done, 0);
  if (!items) co_return core::fail(items.error());
  std::vector<std::string> ids;
  for (const db::ItemRow& item : *items) {
    if (const auto media = core::parse_media_id(item.target); media && item.kind == "media") ids.push_back(media->id);
    if (!item.error.empty()) counted.remarks.push_back(item.label + ": " + item.error);
  }
  counted.checked = static_cast<std::int64_t>(ids.size());
  for (std::size_t from = 0; from < ids.size(); from += verified_at_once) {
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(from);
    const std::vector<std::string> page(first, first + static_cast<std::ptrdiff_t>(std::min(verified_at_once, ids.size() - from)));
    db::Arguments arguments;
    arguments.emplace_back("ids", db::bind_array(page));
    auto present = co_await read.query(db::sql::media_local_present, std::move(arguments));
    if (!present) co_return core::fail(present.error());
    counted.still_there += static_cast<std::int64_t>(present->size());
  }
  co_return counted;
}

// "12 opened meanwhile; 1 protected meanwhile"
std::string by_reason(const std::vector<db::ItemRow>& items) {
  std::map<std::string, std::int64_t> counts;
  for (const db::ItemRow& item : items) ++counts[item.error];
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts) parts.push_back(core::format_count(count) + " " + reason);
  return core::join(parts, "; ");
}

awaitable<core::Result<void>> tell_of(std::string label, std::string state, std::int64_t job, command::Context& context, jobs::Receipt& receipt) {
  std::vector<std::string> states;
  states.push_back(std::move(state));
  auto items = co_await context.stores().jobs.items(job, std::move(states), 0);
  if (!items) co_return core::fail(items.error());
  if (!items->empty()) receipt.lines.push_back(label + ": " + by_reason(*items));
  co_return core::Result<void>();
}

}  // namespace

awaitable<core::Result<jobs::Receipt>> delete_media(jobs::Plan plan, jobs::Progress& progress, command::Context& context) {
  auto read = context.read();
  if (!read) co_return core::fail(read.error());
  auto choice = stored_choice(plan, context.options().server_name);
  if (!choice) co_return core::fail(choice.error());
  Deletion deletion(*choice, progress, context, **read);
  auto loaded = co_await deletion.load_pictures();
  if (!loaded) co_return core::fail(loaded.error());

  jobs::Progress::Act act = [&deletion](db::ItemRow item) { return deletion.act(std::move(item)); };
  jobs::Progress::Act settle = [&deletion](db::ItemRow item) { return deletion.settle(std::move(item)); };
  std::string unit = plan.parameters["unit"];
  auto totals = co_await progress.for_each_item(std::move(unit), in_flight, std::move(act), std::move(settle));
  if (!totals) co_return core::fail(totals.error());
  if (deletion.gave_up()) co_return core::fail(*deletion.gave_up());

  jobs::Receipt receipt;
  receipt.title = fmt::format("{} freed", in_words(MediaCount{totals->done_rows, core::Bytes{totals->done_bytes}}));
  auto kept = co_await tell_of("Kept", "kept", progress.job(), context, receipt);
  if (!kept) co_return core::fail(kept.error());
  auto failed = co_await tell_of("Failed", "failed", progress.job(), context, receipt);
  if (!failed) co_return core::fail(failed.error());
  auto unknown = co_await tell_of("Unknown", "unknown", progress.job(), context, receipt);
  if (!unknown) co_return core::fail(unknown.error());
  if (totals->planned + totals->acting > 0)
    receipt.lines.push_back(fmt::format("Left: {} not worked on", core::plural(totals->planned + totals->acting, "item", "items")));
  auto counted = co_await recount(progress.job(), context, **read);
  if (!counted) co_return core::fail(counted.error());
  receipt.lines.insert(receipt.lines.end(), counted->remarks.begin(), counted->remarks.end());
  if (counted->checked > 0)
    receipt.lines.push_back(counted->still_there == 0
                                ? "Verified: none of the deleted local files is in Synapse's database any more"
                                : fmt::format("⚠ Recount: {} of the deleted local files are still in Synapse's database", core::format_count(counted->still_there)));
  receipt.complete = totals->failed + totals->unknown + totals->planned + totals->acting + counted->still_there == 0;
  co_return receipt;
}

}  // namespace steward::commands
