// A room layer over a real store and the scripted homeserver; restart() makes a new life on the same two.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "../support/postgres.hpp"
#include "../support/run.hpp"
#include "async/tasks.hpp"
#include "core/log.hpp"
#include "db/store.hpp"
#include "room/admin_room.hpp"
#include "room/inbox.hpp"
#include "room/live_message.hpp"
#include "room/outbox.hpp"
#include "room_homeserver.hpp"

namespace steward::room {

inline constexpr std::chrono::seconds soon(8);

class RoomTest : public testing::Test {
 protected:
  void SetUp() override {
    STEWARD_NEED_POSTGRES();
    database.emplace();
    db::SessionOptions options;
    options.name = "store";
    options.connection = core::Secret(database->connection());
    options.search_path = "steward";
    session.emplace(io.get_executor(), options);
    stores.emplace(*session);
    auto migrated = test::run(io, db::migrate(*session, "steward"));
    ASSERT_TRUE(migrated) << core::describe(migrated.error());
    database->sql().exec("SET search_path = steward");
    room_options.admins.emplace_back(RoomHomeserver::admin);
    room_options.server_name = "hs.test";
    room_options.look_again = std::chrono::milliseconds(1);
    restart();
  }
  void TearDown() override {
    stop();
    session.reset();
    database.reset();
  }

  // What the program does at its start; `sender` also starts the outbox.
  void restart() {
    stop();
    matrix::ClientOptions options;
    options.token = core::Secret("not-a-secret");
    options.user = core::UserId(RoomHomeserver::bot);
    options.device_id = "STEWARD";
    options.appservice_id = "steward";
    options.attempts = 2;
    options.first_delay = std::chrono::milliseconds(1);
    client.emplace(server, options);
    outbox.emplace(io.get_executor(), *client, stores->outbox);
    room.emplace(*client, stores->settings, *outbox, room_options);
    tasks.emplace(io.get_executor(), [](std::string name, std::string what) { ADD_FAILURE() << name << ": " << what; });
  }
  void stop() {
    if (!tasks) return;
    wait(room->close(std::chrono::seconds(5)));
    tasks->cancel_all();
    EXPECT_TRUE(test::run(io, tasks->join(std::chrono::seconds(5))));
    room.reset();
    outbox.reset();
    tasks.reset();
    client.reset();
  }
  void send(bool search_first = false) {
    tasks->spawn("outbox", [this, search_first] { return outbox->run(search_first); });
  }
  void wait(boost::asio::awaitable<void> call) { test::run(io, std::move(call)); }
  template <class T>
  core::Result<T> ask(boost::asio::awaitable<core::Result<T>> call) {
    return test::run(io, std::move(call));
  }
  template <class T>
  T get(boost::asio::awaitable<core::Result<T>> call) {
    auto result = test::run(io, std::move(call));
    if (!result) throw std::runtime_error(core::describe(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  bool drained() { return test::run(io, outbox->drain(soon)); }
  // Lets the loop run until `condition`, at most a few seconds.
  bool until(std::function<bool()> condition) {
    const auto end = std::chrono::steady_clock::now() + soon;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  void post(const std::string& cause, const std::string& target = "!r") {
    get(outbox->post(cause, core::RoomId(target), "m.room.message", R"({"msgtype":"m.notice","body":")" + cause + "\"}"));
  }
  std::string value(const std::string& sql) { return database->sql().value(sql); }
  static matrix::Message message(const std::string& text) {
    matrix::Message made;
    made.paragraph(text);
    return made;
  }

  core::Result<void> say(const std::string& cause) { return ask(room->say(cause, message(cause), matrix::Envelope())); }

  boost::asio::io_context io{1};
  std::optional<test::TestDatabase> database;
  std::optional<db::Session> session;
  std::optional<db::Stores> stores;
  RoomHomeserver server;
  AdminRoomOptions room_options;
  std::optional<matrix::Client> client;
  std::optional<Outbox> outbox;
  std::optional<AdminRoom> room;
  std::optional<async::TaskGroup> tasks;
};

}  // namespace steward::room
