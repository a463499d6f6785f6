#include "matrix/glance.hpp"

#include <nlohmann/json.hpp>
#include <string>

namespace steward::matrix {
namespace {

// Follows the depth and the keys of {"events": [{…}, …]} only. A key that comes twice counts twice: better looked at once too
// often.
class Reader {
 public:
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit Reader(const Interest& interest) : interest_(interest) {}

  bool start_object(std::size_t) {
    if (depth_ == 0) is_object_ = true;
    if (depth_ == event_depth - 1 && in_events_) ++glance_.events;
    ++depth_;
    slot_ = Slot::other;
    return true;
  }
  bool end_object() { return leave(); }
  bool start_array(std::size_t) {
    if (depth_ == 1) in_events_ = slot_ == Slot::events;
    ++depth_;
    return true;
  }
  bool end_array() {
    if (depth_ == 2) in_events_ = false;
    return leave();
  }
  bool key(string_t& name) {
    slot_ = Slot::other;
    if (depth_ == 1 && name == "events") slot_ = Slot::events;
    const bool in_event = in_events_ && depth_ == event_depth;
    if (in_event && name == "room_id") slot_ = Slot::room_id;
    if (in_event && name == "state_key") slot_ = Slot::state_key;
    return true;
  }
  bool string(string_t& value) {
    if (depth_ != event_depth) return true;
    if (slot_ == Slot::room_id && !interest_.room.empty() && value == interest_.room.str()) glance_.matters = true;
    if (slot_ == Slot::state_key && value == interest_.user.str()) glance_.matters = true;
    return true;
  }
  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(nlohmann::json::number_integer_t) { return true; }
  bool number_unsigned(nlohmann::json::number_unsigned_t) { return true; }
  bool number_float(nlohmann::json::number_float_t, const string_t&) { return true; }
  bool binary(binary_t&) { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) { return false; }

  std::optional<Glance> result() const { return is_object_ ? std::optional(glance_) : std::nullopt; }

 private:
  enum class Slot { other, events, room_id, state_key };
  static constexpr int event_depth = 3;  // the body, its array, the event

  bool leave() {
    --depth_;
    slot_ = Slot::other;
    return true;
  }

  const Interest& interest_;
  Glance glance_;
  int depth_ = 0;
  bool is_object_ = false;
  bool in_events_ = false;
  Slot slot_ = Slot::other;
};

}  // namespace

std::optional<Glance> glance_at_transaction(std::string_view body, const Interest& interest) {
  Reader reader(interest);
  const bool read = nlohmann::json::sax_parse(body.begin(), body.end(), &reader);
  return read ? reader.result() : std::nullopt;
}

}  // namespace steward::matrix
