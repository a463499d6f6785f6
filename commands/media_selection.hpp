// Which media an age, a size, a user or a room means: the same choice Synapse's own deletion makes, with a reason and a count for
// everything that stays. Used by purge-media and purge-user-media, for the plan and again before each act. I/O thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/units.hpp"
#include "db/session.hpp"
#include "jobs/plan.hpp"

namespace steward::commands {

struct MediaChoice {
  std::string server_name;
  std::optional<std::int64_t> before_ms;        // last opened (else made) before it, by the database's clock; none: all
  core::Bytes larger;                           // only files larger than this; -1 takes empty ones too
  bool include_profiles = false;                // pictures of users and rooms, too
  std::string user;                             // full id; empty: everybody
  std::string type;                             // "image" or "image/png", in lower case; empty: all
  std::optional<std::vector<std::string>> ids;  // only these (a room's media)
};

struct MediaCount {
  std::int64_t files = 0;
  core::Bytes bytes;
  MediaCount& operator+=(const MediaCount& other);
};

struct LocalMedia {
  struct File {
    std::string id, user;
    core::Bytes bytes;
  };
  std::vector<File> chosen;                  // empty when only counted
  MediaCount wanted;                         // of the chosen ones
  std::map<std::string, MediaCount> others;  // by reason: recent, small, avatar, protected, quarantined, preview, reserved, outside
  MediaCount total;                          // of the server
};

struct RemoteMedia {
  struct Slice {
    std::int64_t before_ms = 0;
    MediaCount count;
  };
  std::vector<Slice> slices;  // rising; empty when only counted
  MediaCount wanted;
  std::map<std::string, MediaCount> others;  // recent, quarantined, unopened
};

// The database's clock, milliseconds since 1970.
boost::asio::awaitable<core::Result<std::int64_t>> database_now(db::Session& read);
// bad_input for a user of another server, not_found for one that nobody here is; nothing for "".
boost::asio::awaitable<core::Result<void>> check_owner(std::string user, std::string server_name, db::Session& read);
// How the remote cache is cut by age: not at all (only counted), for the steps of a job, or finely, where a bound is to be met.
enum class Slices { none, usual, fine };
// `listed` false: only the counts. Errors: as Session::transaction.
boost::asio::awaitable<core::Result<LocalMedia>> select_local(db::Session& read, MediaChoice choice, bool listed);
boost::asio::awaitable<core::Result<RemoteMedia>> select_remote(db::Session& read, std::int64_t before_ms, Slices slices);

std::string in_words(const MediaCount& count);  // "1 204 files, 3.1 GB"

// Adds to the plan: items, bytes and rows of the chosen; what is kept and why.
void add_local(jobs::Plan& plan, const LocalMedia& media, const MediaChoice& choice);
void add_remote(jobs::Plan& plan, const RemoteMedia& media, const std::string& time_zone);
// "ann 1.2 GB · bob 0.7 GB · 31 more", of the largest.
std::string by_user(const LocalMedia& media);
// Over `share` of the server's local media bytes: level 4 with the number of files as its word.
void raise_level(jobs::Plan& plan, const LocalMedia& media, double share);

// What run() needs to judge a file as the plan did. internal when the plan carries no choice.
void store_choice(jobs::Plan& plan, const MediaChoice& choice);
core::Result<MediaChoice> stored_choice(const jobs::Plan& plan, const std::string& server_name);

}  // namespace steward::commands
