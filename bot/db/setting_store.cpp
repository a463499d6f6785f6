#include "db/store.hpp"
#include "db/store_outcome.hpp"

namespace steward::db {
namespace {

using core::Result;

Values two(std::string first, std::string second) {
  Values values(1, Value(std::move(first)));
  values.emplace_back(std::move(second));
  return values;
}

RoleRow role_from(const Row& row) {
  RoleRow role;
  role.user = core::UserId(row.text("user_id"));
  role.role = row.text("role");
  role.given_by = row.text("given_by");
  return role;
}

}  // namespace

boost::asio::awaitable<Result<std::vector<RoleRow>>> SettingStore::roles() {
  auto reading = session_.query("SELECT user_id, role, given_by FROM role ORDER BY user_id");
  co_return all_of(co_await std::move(reading), role_from);
}

boost::asio::awaitable<Result<void>> SettingStore::set_role(core::UserId user, std::string role, core::UserId by) {
  if (role.empty()) {
    Values values(1, Value(user.str()));
    auto deleting = session_.query("DELETE FROM role WHERE user_id = $1", std::move(values));
    co_return nothing(co_await std::move(deleting));
  }
  Values values = two(user.str(), std::move(role));
  values.emplace_back(by.str());
  auto setting = session_.query(
      "INSERT INTO role (user_id, role, given_by) VALUES ($1, $2, $3) "
      "ON CONFLICT (user_id) DO UPDATE SET role = excluded.role, given_by = excluded.given_by, given_at = now()",
      std::move(values));
  co_return nothing(co_await std::move(setting));
}

boost::asio::awaitable<Result<std::optional<std::string>>> SettingStore::get(std::string key) {
  Values values(1, Value(std::move(key)));
  auto reading = session_.query("SELECT value FROM setting WHERE key = $1", std::move(values));
  auto value_from = [](const Row& row) { return row.text("value"); };
  auto rows = co_await std::move(reading);
  co_return first_of(rows, value_from);
}

boost::asio::awaitable<Result<void>> SettingStore::put(std::string key, std::string value) {
  Values values = two(std::move(key), std::move(value));
  auto setting = session_.query(
      "INSERT INTO setting (key, value) VALUES ($1, $2) "
      "ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = now()",
      std::move(values));
  co_return nothing(co_await std::move(setting));
}

boost::asio::awaitable<Result<void>> SettingStore::erase(std::string key) {
  Values values(1, Value(std::move(key)));
  auto deleting = session_.query("DELETE FROM setting WHERE key = $1", std::move(values));
  co_return nothing(co_await std::move(deleting));
}

boost::asio::awaitable<Result<std::vector<std::pair<std::string, std::string>>>> SettingStore::all(std::string prefix) {
  Values values(1, Value(std::move(prefix)));
  auto reading = session_.query("SELECT key, value FROM setting WHERE starts_with(key, $1) ORDER BY key", std::move(values));
  auto pair_from = [](const Row& row) { return std::pair(row.text("key"), row.text("value")); };
  auto rows = co_await std::move(reading);
  co_return all_of(rows, pair_from);
}

boost::asio::awaitable<Result<void>> SettingStore::set_handles(core::UserId owner, char letter, std::vector<std::string> targets) {
  Values values = two(owner.str(), std::string(1, letter));
  values.push_back(bind_array(targets));
  auto work = [values = std::move(values)](Transaction& transaction) -> Result<void> {
    auto forgotten = transaction.exec("DELETE FROM handle WHERE owner = $1 AND starts_with(handle, $2)", {values[0], values[1]});
    if (!forgotten) return core::fail(forgotten.error());
    return nothing(transaction.exec(
        "INSERT INTO handle (owner, handle, target) SELECT $1, $2 || place, target "
        "FROM unnest($3::text[]) WITH ORDINALITY AS shown (target, place)",
        values));
  };
  auto setting = session_.transaction(std::move(work));
  co_return co_await std::move(setting);
}

boost::asio::awaitable<Result<std::optional<std::string>>> SettingStore::handle(core::UserId owner, std::string handle) {
  Values values = two(owner.str(), std::move(handle));
  auto reading = session_.query(
      "SELECT target FROM handle WHERE owner = $1 AND handle = $2 AND shown_at > now() - interval '1 hour'", std::move(values));
  auto target_from = [](const Row& row) { return row.text("target"); };
  auto rows = co_await std::move(reading);
  co_return first_of(rows, target_from);
}

boost::asio::awaitable<Result<void>> SettingStore::add_upload(std::string mxc, std::string name) {
  Values values = two(std::move(mxc), std::move(name));
  auto inserting = session_.query("INSERT INTO upload (mxc, name) VALUES ($1, $2) ON CONFLICT (mxc) DO NOTHING", std::move(values));
  co_return nothing(co_await std::move(inserting));
}

boost::asio::awaitable<Result<std::vector<std::string>>> SettingStore::due_uploads(std::chrono::seconds age) {
  Values values(1, bind(age.count()));
  auto reading = session_.query(
      "SELECT mxc FROM upload WHERE uploaded_at < now() - $1::bigint * interval '1 second' ORDER BY uploaded_at", std::move(values));
  auto mxc_from = [](const Row& row) { return row.text("mxc"); };
  auto rows = co_await std::move(reading);
  co_return all_of(rows, mxc_from);
}

boost::asio::awaitable<Result<void>> SettingStore::forget_upload(std::string mxc) {
  Values values(1, Value(std::move(mxc)));
  auto deleting = session_.query("DELETE FROM upload WHERE mxc = $1", std::move(values));
  co_return nothing(co_await std::move(deleting));
}

}  // namespace steward::db
