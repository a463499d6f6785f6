// Media: deletion by id and by age, and what a room refers to.
#include <nlohmann/json.hpp>

#include "synapse/admin_call.hpp"

namespace steward::synapse {

using boost::asio::awaitable;
using core::Result;
using nlohmann::json;

namespace {

// Synapse answers when the last file is gone: one unlink and three database transactions each.
constexpr auto purge_deadline = std::chrono::hours(12);
constexpr auto delete_deadline = std::chrono::minutes(5);
// Below it Synapse suspects seconds and refuses (rest/admin/media.py).
constexpr std::int64_t earliest_ms = 30'000'000'000;

}  // namespace

awaitable<Result<bool>> AdminClient::delete_local_media(core::MediaId media) {
  const std::string doing = "delete the media " + media.str();
  http::Call call =
      Ask(doing, "DELETE", {"v1", "media", media.server, media.id}).once_only().within(delete_deadline).call(options_);
  const auto answer = co_await perform(media_transport_, std::move(call), options_);
  if (!answer && is_absent(answer.error())) co_return false;
  if (!answer) co_return std::unexpected(answer.error());
  const auto total = number_field(*answer, "total");
  if (!total) co_return misunderstood(doing, "the answer has no total");
  if (*total == 0) {
    co_return core::fail(core::Code::rejected, "Could not " + doing, "Synapse could not remove its file",
                         "Look into Synapse's log; the media folder may not be writable for it");
  }
  co_return true;
}

awaitable<Result<std::int64_t>> AdminClient::purge_remote_media(std::int64_t before_ms) {
  const std::string doing = "purge the cache of remote media";
  if (before_ms < earliest_ms) {
    co_return core::fail(core::Code::bad_input, "Could not " + doing,
                         "the time is before the end of 1970, in milliseconds");
  }
  http::Call call = Ask(doing, "POST", {"v1", "purge_media_cache"})
                        .query("before_ts", std::to_string(before_ms))
                        .once_only()
                        .within(purge_deadline)
                        .call(options_);
  const auto answer = co_await perform(media_transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  const auto deleted = number_field(*answer, "deleted");
  if (!deleted) co_return misunderstood(doing, "the answer has no count");
  co_return *deleted;
}

// Served by the main process also where a media worker has the rest (rest/admin/__init__.py).
awaitable<Result<std::vector<core::MediaId>>> AdminClient::room_media(core::RoomId room) {
  http::Call call =
      get("list the media of a room", {"v1", "room", room.str(), "media"}).within(delete_deadline).call(options_);
  const auto answer = co_await perform(transport_, std::move(call), options_);
  if (!answer) co_return std::unexpected(answer.error());
  std::vector<core::MediaId> media;
  for (const char* kind : {"local", "remote"}) {
    for (const std::string& text : texts_field(*answer, kind)) {
      if (auto id = core::parse_media_id(text)) media.push_back(std::move(*id));
    }
  }
  co_return media;
}

}  // namespace steward::synapse
