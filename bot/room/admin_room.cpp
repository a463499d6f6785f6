#include "room/admin_room.hpp"

#include <algorithm>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "room/json_fields.hpp"
#include "room/room_settings.hpp"
#include "room/turn.hpp"

namespace steward::room {

namespace asio = boost::asio;
namespace this_coro = boost::asio::this_coro;
using core::Code;
using core::Result;
using core::RoomId;
using core::UserId;

namespace {

asio::awaitable<Result<bool>> is_joined(matrix::Client& client, RoomId room) {
  auto rooms = co_await client.joined_rooms();
  if (!rooms) co_return std::unexpected(rooms.error());
  co_return std::ranges::find(*rooms, room) != rooms->end();
}

}  // namespace

AdminRoom::AdminRoom(matrix::Client& client, db::SettingStore& settings, Outbox& outbox, AdminRoomOptions options)
    : client_(client),
      settings_(settings),
      outbox_(outbox),
      options_(std::move(options)),
      background_(outbox.executor(), nullptr) {}

void AdminRoom::set_admins(std::vector<UserId> admins) { options_.admins = std::move(admins); }

void AdminRoom::in_background(std::string name, async::TaskGroup::Task task) {
  background_.spawn(std::move(name), std::move(task));
}

asio::awaitable<void> AdminRoom::close(std::chrono::milliseconds grace) {
  background_.cancel_all();
  const bool ended = co_await background_.join(grace);
  if (!ended) core::log_warning("room", "background work did not end in time");
}

asio::awaitable<std::shared_ptr<void>> AdminRoom::Turn::take(AdminRoom& room) {
  auto mine = std::make_shared<Turn>(room.outbox_.executor());
  const auto before = std::exchange(room.last_turn_, mine);
  std::shared_ptr<void> guard(mine.get(), [mine](void*) { mine->end(); });
  while (before && !before->over_) {
    const bool notified = co_await before->ended_.wait(std::chrono::hours(1));
    auto cancellation = co_await this_coro::cancellation_state;
    if (!notified && cancellation.cancelled() != asio::cancellation_type::none) co_return nullptr;
  }
  co_return guard;
}

bool AdminRoom::is_admin(const UserId& user) const { return std::ranges::find(options_.admins, user) != options_.admins.end(); }

asio::awaitable<Result<void>> AdminRoom::open() {
  const auto turn = co_await Turn::take(*this);
  if (!turn) co_return core::fail(Code::cancelled, "Opening the admin room was stopped");
  co_return co_await open_now();
}

asio::awaitable<void> AdminRoom::notice_removal() {
  if (!usable_) co_return;
  const auto in_room = co_await is_joined(client_, id_);
  if (!in_room || *in_room) co_return;
  auto opened = co_await open();
  if (!opened) core::log_warning("room", "the bot is out of its room: {}", describe(opened.error()));
}

asio::awaitable<Result<void>> AdminRoom::open_now() {
  auto located = co_await locate();
  if (!located) {
    why_ = describe(located.error());
    co_return located;
  }
  if (!usable_) outbox_.hold(id_);  // until its state is known
  auto joined = co_await be_joined();
  const bool gone = !joined && joined.error().code == Code::not_found;
  if (gone && options_.configured.empty()) joined = co_await replace_deleted();
  if (!joined) co_return joined;
  auto read = co_await read_state();
  if (!read) co_return read;
  if (id_ == options_.configured) {
    auto kept = co_await remember(id_);
    if (!kept) co_return kept;
  }
  if (!facts_.tombstone.empty()) co_await follow_tombstone();
  if (!usable_) {
    co_return core::fail(Code::rejected, "The admin room " + id_.str() + " cannot be used", why_,
                         "Mend the room's settings, or invite " + client_.user().str() +
                             " to another private, unencrypted room");
  }
  co_await move_in();
  co_return Result<void>();
}

asio::awaitable<Result<void>> AdminRoom::be_joined() {
  const auto in_room = co_await is_joined(client_, id_);
  if (!in_room) co_return std::unexpected(in_room.error());
  if (*in_room) co_return Result<void>();
  std::vector<std::string> via(1, options_.server_name);
  auto joined = co_await client_.join(id_, std::move(via));  // works when an invitation came while we were away
  if (joined || core::is_temporary(joined.error()) || joined.error().code == Code::cancelled) co_return joined;
  facts_ = RoomFacts();
  assess();
  // Synapse (RoomMemberHandler) answers 404 where nobody of this server is in the room any more: it was deleted or is dead.
  const bool gone = joined.error().code == Code::not_found;
  co_return core::fail(gone ? Code::not_found : Code::not_allowed, "The bot is not in its admin room " + id_.str(),
                       (gone ? "the room was deleted: " : "somebody removed it: ") + joined.error().why,
                       "Invite " + client_.user().str() + " there again, or to another private, unencrypted room",
                       joined.error().source);
}

// A room of our own making that is gone from the server: another one, for the same admins.
asio::awaitable<Result<void>> AdminRoom::replace_deleted() {
  core::log_warning("room", "the admin room {} was deleted; another one takes its place", id_.str());
  auto forgotten = co_await settings_.erase(std::string(setting_room));
  if (!forgotten) co_return forgotten;
  co_await outbox_.abandon(id_, "the admin room was deleted");
  co_return co_await find_or_create();
}

asio::awaitable<Result<void>> AdminRoom::read_state() {
  auto state = co_await client_.state(id_);
  if (!state) co_return std::unexpected(state.error());
  facts_ = facts_from(*state, client_.user());
  assess();
  co_return Result<void>();
}

bool AdminRoom::closed_by_admin() const { return !facts_.tombstone.empty() && is_admin(facts_.tombstone_by); }

// Draws the conclusions from facts_. What is waiting to be said waits while the room is not safe to speak in.
void AdminRoom::assess() {
  std::string why = why_unusable(facts_);
  if (why.empty()) {
    outbox_.release(id_);
  } else {
    outbox_.hold(id_);
  }
  if (why.empty() && closed_by_admin()) {
    why = facts_.tombstone_by.str() + " closed the room";
    if (!facts_.replacement.empty()) why += "; its replacement is " + facts_.replacement.str() + ", invite the bot there";
  }
  if (why != why_ && !why.empty()) core::log_warning("room", "the admin room {} cannot be used: {}", id_.str(), why);
  why_ = std::move(why);
  usable_ = why_.empty();
}

asio::awaitable<void> AdminRoom::move_in() {
  co_await invite_missing_admins();
  co_await welcome();
}

asio::awaitable<void> AdminRoom::invite_missing_admins() {
  for (const UserId& admin : options_.admins) {
    if (facts_.members.contains(admin) || facts_.invited.contains(admin) || facts_.banned.contains(admin)) continue;
    auto invited = co_await client_.invite(id_, admin, "You maintain " + options_.server_name);
    if (invited) {
      facts_.invited.insert(admin);
    } else {
      core::log_warning("room", "{} could not be invited: {}", admin.str(), describe(invited.error()));
    }
  }
}

asio::awaitable<void> AdminRoom::welcome() {
  auto welcomed = co_await settings_.get(std::string(setting_welcomed));
  if (!welcomed || *welcomed == id_.str()) co_return;
  matrix::Message card;
  card.title("Maintenance of " + options_.server_name);
  card.paragraph("Nothing is deleted before a plan was shown and confirmed. The first commands:");
  for (const auto& [command, meaning] : options_.first_commands) {
    matrix::Text line;
    line.push_back(matrix::code(command));
    line.push_back(matrix::plain(" " + meaning));
    card.entry(std::move(line));
  }
  const std::string cause = "welcome:" + id_.str();
  const matrix::Envelope envelope;
  auto said = co_await say(cause, std::move(card), envelope);
  if (!said) {
    core::log_warning("room", "the welcome card is not posted yet: {}", describe(said.error()));
    co_return;
  }
  in_background("welcome", [this, cause] { return pin_welcome(cause); });
}

asio::awaitable<void> AdminRoom::pin_welcome(std::string cause) {
  auto event = co_await outbox_.wait_for(std::move(cause), std::chrono::hours(24));
  const auto cancellation = co_await this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
  if (!event) {
    core::log_warning("room", "the welcome card is not pinned: {}", describe(event.error()));
    co_return;
  }
  co_await pin(std::move(*event));
}

// In a room that others made we may lack the right to pin: the card is there all the same.
asio::awaitable<void> AdminRoom::pin(core::EventId event) {
  constexpr const char* type = "m.room.pinned_events";
  auto before = co_await client_.state_content(id_, type, "");
  if (!before) co_return;
  std::vector<std::string> pinned = texts_at(before->value_or(""), "/pinned");
  pinned.push_back(event.str());
  const auto [end, last] = std::ranges::unique(pinned);
  pinned.erase(end, last);
  const nlohmann::json content{{"pinned", pinned}};
  auto put = co_await client_.put_state(id_, type, "", content.dump());
  if (!put) core::log_warning("room", "the welcome card could not be pinned: {}", describe(put.error()));
  if (!put && (core::is_temporary(put.error()) || put.error().code == Code::cancelled)) co_return;  // the next start tries again
  auto kept = co_await settings_.put(std::string(setting_welcomed), id_.str());
  if (!kept) core::log_warning("room", "the welcome was not noted: {}", describe(kept.error()));
}

}  // namespace steward::room
