// The admin API on a scripted transport: paths, bodies, answers, and the traps of facts/synapse-admin-api.md §6.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "../support/run.hpp"
#include "../support/scripted_transport.hpp"
#include "synapse/admin_client.hpp"

namespace steward::synapse {
namespace {

using core::Code;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const core::RoomId room("!a/b:hs.test");
const std::string not_found = R"({"errcode":"M_NOT_FOUND","error":"not there"})";
const std::string unrecognized = R"({"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"})";

class SynapseAdmin : public testing::Test {
 protected:
  static AdminOptions options(bool own_token = false) {
    AdminOptions options;
    options.token = core::Secret("as_secret_token");
    options.own_admin_token = own_token;
    return options;
  }
  template <class T>
  T run(boost::asio::awaitable<T> coroutine) {
    return test::run(io_, std::move(coroutine));
  }
  void expect_request(const test::ScriptedTransport& transport, const std::string& method, const std::string& target) {
    ASSERT_FALSE(transport.requests.empty());
    EXPECT_EQ(transport.last().method, method);
    EXPECT_EQ(transport.last().target, target);
  }

  boost::asio::io_context io_;
  test::ScriptedTransport main_;
  test::ScriptedTransport media_;
  AdminClient admin_{main_, media_, options()};
};

TEST_F(SynapseAdmin, AsksForTheVersionWithoutAToken) {
  main_.answer(200, R"({"server_version":"1.163.2"})");
  EXPECT_EQ(run(admin_.server_version())->minor, 163);
  expect_request(main_, "GET", "/_synapse/admin/v1/server_version");
  EXPECT_EQ(main_.last_header("Authorization"), "");
  main_.answer(200, R"({"server_version":7})");
  EXPECT_EQ(run(admin_.server_version()).error().code, Code::protocol);
}

TEST_F(SynapseAdmin, TellsMasFromAHiddenApi) {
  main_.answer(200, R"({"nonce":"x"})");
  EXPECT_EQ(*run(admin_.uses_mas()), false);
  main_.answer(404, unrecognized);
  EXPECT_EQ(*run(admin_.uses_mas()), true);
  main_.answer(404, "<html>nginx</html>");
  const auto hidden = run(admin_.uses_mas());
  ASSERT_FALSE(hidden);
  EXPECT_THAT(hidden.error().next, HasSubstr("proxy"));
}

TEST_F(SynapseAdmin, NamesTheThreeWaysToTheRight) {
  main_.answer(200, R"({"rooms":[],"total_rooms":0})");
  EXPECT_TRUE(run(admin_.check_rights()));
  expect_request(main_, "GET", "/_synapse/admin/v1/rooms?limit=1");
  EXPECT_EQ(main_.last_header("Authorization"), "Bearer as_secret_token");

  const std::string refusal = R"({"errcode":"M_FORBIDDEN","error":"You are not a server admin"})";
  main_.answer(403, refusal);
  const auto refused = run(admin_.check_rights());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::not_allowed);
  for (const char* way :
       {"PUT /_synapse/admin/v1/users/", "registration_shared_secret", "UPDATE users SET admin = 1", "admin_token"}) {
    EXPECT_THAT(refused.error().next, HasSubstr(way));
  }
  AdminClient with_own_token(main_, media_, options(true));
  main_.answer(403, refusal);
  EXPECT_THAT(run(with_own_token.check_rights()).error().next, HasSubstr("urn:synapse:admin:*"));
  main_.answer(401, R"({"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token"})");
  EXPECT_THAT(run(admin_.check_rights()).error().next, HasSubstr("ip_range_whitelist"));
}

TEST_F(SynapseAdmin, NeverMasquerades) {
  main_.answer(200, R"({"total":41,"users":[]})");
  EXPECT_EQ(*run(admin_.user_count()), 41);
  expect_request(main_, "GET", "/_synapse/admin/v2/users?limit=1&guests=false");
}

TEST_F(SynapseAdmin, HealthIsPlainText) {
  main_.answer(200, "OK");
  EXPECT_EQ(*run(admin_.health()), true);
  expect_request(main_, "GET", "/health");
  main_.fail(Code::unavailable);
  EXPECT_EQ(run(admin_.health()).error().code, Code::unavailable);  // asked once
}

TEST_F(SynapseAdmin, DeletesLocalMediaOnTheMediaAddress) {
  core::MediaId media;
  media.server = "hs.test:8448";
  media.id = "a/b";
  media_.answer(200, R"({"deleted_media":["a/b"],"total":1})");
  EXPECT_EQ(*run(admin_.delete_local_media(media)), true);
  expect_request(media_, "DELETE", "/_synapse/admin/v1/media/hs.test%3A8448/a%2Fb");
  EXPECT_EQ(media_.last().body, "{}");
  media_.answer(404, not_found);
  EXPECT_EQ(*run(admin_.delete_local_media(media)), false);
  media_.answer(200, R"({"deleted_media":[],"total":0})");
  EXPECT_EQ(run(admin_.delete_local_media(media)).error().code, Code::rejected);
  media_.answer(404, unrecognized);
  EXPECT_THAT(run(admin_.delete_local_media(media)).error().next, HasSubstr("homeserver.media_url"));
  EXPECT_THAT(main_.requests, IsEmpty());
}

TEST_F(SynapseAdmin, PurgesRemoteMediaInOneLongCall) {
  media_.answer(200, R"({"deleted":12})");
  EXPECT_EQ(*run(admin_.purge_remote_media(1795419459653)), 12);
  expect_request(media_, "POST", "/_synapse/admin/v1/purge_media_cache?before_ts=1795419459653");
  EXPECT_GE(media_.deadlines.back(), std::chrono::hours(2));
  media_.fail(Code::timeout);
  EXPECT_EQ(run(admin_.purge_remote_media(1795419459653)).error().code, Code::timeout);
  EXPECT_EQ(media_.requests.size(), 2U);                                                // never repeated blindly
  EXPECT_EQ(run(admin_.purge_remote_media(1795419459)).error().code, Code::bad_input);  // seconds
  EXPECT_EQ(media_.requests.size(), 2U);
}

TEST_F(SynapseAdmin, ListsTheMediaOfARoom) {
  main_.answer(200, R"({"local":["mxc://hs.test/a","nonsense"],"remote":["mxc://other.test/b",7]})");
  const auto media = run(admin_.room_media(room));
  ASSERT_TRUE(media);
  ASSERT_EQ(media->size(), 2U);
  EXPECT_EQ((*media)[0].str(), "mxc://hs.test/a");
  EXPECT_EQ((*media)[1].str(), "mxc://other.test/b");
  expect_request(main_, "GET", "/_synapse/admin/v1/room/%21a%2Fb%3Ahs.test/media");
}

TEST_F(SynapseAdmin, ListsRooms) {
  main_.answer(200, R"({"offset":0,"rooms":[
    {"room_id":"!v12","name":null,"canonical_alias":null,"joined_members":0,"joined_local_members":0,"version":"12",
     "creator":"@a:hs.test","encryption":null,"federatable":true,"public":false,"join_rules":null,"state_events":0,"room_type":null},
    {"room_id":7},{"room_id":"!x:hs.test","name":"X","public":1,"federatable":0,"joined_members":"many"}],
    "total_rooms":300,"next_batch":100})");
  AdminClient::RoomQuery query;
  query.order_by = "joined_members";
  query.backward = true;
  query.empty_rooms = true;
  const auto page = run(admin_.rooms(query));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->total, 300);
  EXPECT_EQ(page->next, 100);
  ASSERT_EQ(page->rooms.size(), 2U);
  EXPECT_EQ(page->rooms[0].room_id.str(), "!v12");
  EXPECT_EQ(page->rooms[0].name, "");
  EXPECT_TRUE(page->rooms[0].federatable);
  EXPECT_EQ(page->rooms[0].tombstoned, std::nullopt);
  EXPECT_TRUE(page->rooms[1].is_public);
  EXPECT_EQ(page->rooms[1].joined_members, 0);
  expect_request(main_, "GET",
                 "/_synapse/admin/v1/rooms?from=0&limit=100&order_by=joined_members&dir=b&empty_rooms=true");
}

TEST_F(SynapseAdmin, NeverCombinesASearchWithAFilter) {
  AdminClient::RoomQuery query;
  query.search_term = "foo";
  query.empty_rooms = true;
  EXPECT_EQ(run(admin_.rooms(query)).error().code, Code::internal);
  query.empty_rooms.reset();
  query.public_rooms = false;
  EXPECT_EQ(run(admin_.rooms(query)).error().code, Code::internal);
  EXPECT_THAT(main_.requests, IsEmpty());
}

TEST_F(SynapseAdmin, LooksAtARoom) {
  main_.answer(200,
               R"({"room_id":"!a/b:hs.test","name":"N","forgotten":false,"tombstoned":true,"joined_local_members":2})");
  const auto info = run(admin_.room(room));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->room_id, room);
  EXPECT_EQ(info->forgotten, false);
  EXPECT_EQ(info->tombstoned, true);
  EXPECT_EQ(info->joined_local_members, 2);
  main_.answer(404, not_found);
  EXPECT_EQ(run(admin_.room(room)).error().code, Code::not_found);
  main_.answer(200, R"({"members":["@a:hs.test",7,"x"],"total":1})");
  EXPECT_THAT(*run(admin_.room_members(room)), ElementsAre(core::UserId("@a:hs.test")));
}

TEST_F(SynapseAdmin, DeletesARoomOnceAndOnlyOnce) {
  main_.answer(200, R"({"delete_id":"abc"})");
  EXPECT_EQ(*run(admin_.delete_room(room, AdminClient::DeleteRequest())), "abc");
  expect_request(main_, "DELETE", "/_synapse/admin/v2/rooms/%21a%2Fb%3Ahs.test");
  EXPECT_EQ(json::parse(main_.last().body), json::parse(R"({"block":false,"purge":true,"force_purge":false})"));
  EXPECT_FALSE(main_.repeats.back());

  AdminClient::DeleteRequest request;
  request.block = true;
  request.message = "closed";
  request.new_room_user = "@a:hs.test";
  for (const Code code : {Code::timeout, Code::in_doubt}) {
    main_.fail(code);
    EXPECT_EQ(run(admin_.delete_room(room, request)).error().code, code);
  }
  main_.answer(500, "{}");
  EXPECT_EQ(run(admin_.delete_room(room, request)).error().code, Code::in_doubt);
  EXPECT_EQ(main_.requests.size(), 4U);
  EXPECT_EQ(json::parse(main_.last().body)["new_room_user_id"], "@a:hs.test");
  main_.answer(200, "{}");
  EXPECT_EQ(run(admin_.delete_room(room, request)).error().code, Code::protocol);
}

TEST_F(SynapseAdmin, BlocksARoomAndUnblocksIt) {
  main_.answer(200, R"({"block":true})");
  ASSERT_TRUE(run(admin_.set_room_block(room, true)));
  expect_request(main_, "PUT", "/_synapse/admin/v1/rooms/%21a%2Fb%3Ahs.test/block");
  EXPECT_EQ(main_.last().body, R"({"block":true})");
  main_.answer(200, R"({"block":false})");
  ASSERT_TRUE(run(admin_.set_room_block(room, false)));
  EXPECT_EQ(main_.last().body, R"({"block":false})");
}

TEST_F(SynapseAdmin, ReadsTheDeleteStatus) {
  main_.answer(200, R"({"results":[
    {"delete_id":"1","room_id":"!a","status":"scheduled","shutdown_room":null},
    {"delete_id":"2","room_id":"!a","status":"complete","shutdown_room":
      {"kicked_users":["@a:hs.test"],"failed_to_kick_users":["@b:hs.test"],"local_aliases":[],"new_room_id":null}},7]})");
  const auto statuses = run(admin_.delete_status(room));
  ASSERT_TRUE(statuses);
  ASSERT_EQ(statuses->size(), 2U);
  EXPECT_EQ((*statuses)[0].status, "scheduled");
  EXPECT_THAT((*statuses)[0].kicked, IsEmpty());
  EXPECT_THAT((*statuses)[1].kicked, ElementsAre(core::UserId("@a:hs.test")));
  EXPECT_THAT((*statuses)[1].failed_to_kick, ElementsAre(core::UserId("@b:hs.test")));
  expect_request(main_, "GET", "/_synapse/admin/v2/rooms/%21a%2Fb%3Ahs.test/delete_status");
  main_.answer(404, not_found);
  EXPECT_THAT(*run(admin_.delete_status(room)), IsEmpty());
  main_.answer(404, unrecognized);
  EXPECT_FALSE(run(admin_.delete_status(room)));
}

TEST_F(SynapseAdmin, FiltersTasksItselfForOlderServers) {
  main_.answer(200, R"({"scheduled_tasks":[
    {"id":"1","action":"shutdown_and_purge_room","status":"active","resource_id":"!a","error":null},
    {"id":"2","action":"purge_history","status":"complete","resource_id":"!a","error":"boom"}]})");
  std::vector<std::string> wanted = {"active", "scheduled"};
  const auto tasks = run(admin_.tasks("!a", std::move(wanted)));
  ASSERT_TRUE(tasks);
  ASSERT_EQ(tasks->size(), 1U);
  EXPECT_EQ(tasks->front().action, "shutdown_and_purge_room");
  expect_request(main_, "GET", "/_synapse/admin/v1/scheduled_tasks?resource_id=%21a&status=active&status=scheduled");
}

TEST_F(SynapseAdmin, LooksAtAUser) {
  const core::UserId alice("@alice:hs.test");
  main_.answer(200,
               R"({"name":"@alice:hs.test","displayname":null,"admin":1,"deactivated":0,"locked":false,"suspended":true,
    "is_guest":0,"shadow_banned":false,"appservice_id":null})");
  const auto user = run(admin_.user(alice));
  ASSERT_TRUE(user);
  ASSERT_TRUE(*user);
  EXPECT_TRUE((*user)->admin);
  EXPECT_FALSE((*user)->deactivated);
  EXPECT_TRUE((*user)->suspended);
  EXPECT_THAT((*user)->appservice_id, IsEmpty());
  expect_request(main_, "GET", "/_synapse/admin/v2/users/%40alice%3Ahs.test");
  main_.answer(404, not_found);
  EXPECT_EQ(*run(admin_.user(alice)), std::nullopt);
  main_.answer(200, R"({"name":"@mallory:hs.test","admin":true})");
  EXPECT_EQ(run(admin_.user(alice)).error().code, Code::protocol);
  main_.answer(200, "{}");
  EXPECT_TRUE(run(admin_.set_admin(alice, true)));
  expect_request(main_, "PUT", "/_synapse/admin/v1/users/%40alice%3Ahs.test/admin");
  EXPECT_EQ(main_.last().body, R"({"admin":true})");
}

TEST_F(SynapseAdmin, ReadsBackgroundUpdates) {
  main_.answer(200, R"({"enabled":false,"current_updates":{"master":{"name":"stats"},"state":{"name":7}}})");
  const auto updates = run(admin_.background_updates());
  ASSERT_TRUE(updates);
  EXPECT_FALSE(updates->enabled);
  EXPECT_THAT(updates->running, ElementsAre("stats"));
  main_.answer(200, R"({"enabled":true,"current_updates":{}})");
  EXPECT_THAT(run(admin_.background_updates())->running, IsEmpty());
}

std::string destinations(int failing_first, int well, int failing_last, int total) {
  json list = json::array();
  for (int i = 0; i < failing_first; ++i) list.push_back({{"destination", "f.test"}, {"failure_ts", 1795419459653}});
  for (int i = 0; i < well; ++i) list.push_back({{"destination", "w.test"}, {"failure_ts", nullptr}});
  for (int i = 0; i < failing_last; ++i) list.push_back({{"destination", "f.test"}, {"failure_ts", 1795419459653}});
  return json({{"destinations", list}, {"total", total}}).dump();
}

TEST_F(SynapseAdmin, CountsFailingServersWhereverNullIsSorted) {
  main_.answer(200, destinations(3, 4, 0, 7));  // PostgreSQL, ascending
  auto found = run(admin_.destinations());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->total, 7);
  EXPECT_EQ(found->failing, 3);
  main_.answer(200, destinations(0, 4, 3, 7));  // SQLite, ascending
  main_.answer(200, destinations(3, 4, 0, 7));
  EXPECT_EQ(run(admin_.destinations())->failing, 3);
  main_.answer(200, destinations(500, 0, 0, 700));
  main_.answer(200, destinations(2, 198, 0, 700));
  EXPECT_EQ(run(admin_.destinations())->failing, 502);
  expect_request(main_, "GET",
                 "/_synapse/admin/v1/federation/destinations?order_by=failure_ts&dir=f&from=500&limit=500");
  main_.answer(200, destinations(0, 0, 0, 0));
  main_.answer(200, destinations(0, 0, 0, 0));
  EXPECT_EQ(run(admin_.destinations())->failing, 0);
}

TEST_F(SynapseAdmin, OtherRefusalsKeepTheirOwnWords) {
  main_.answer(400, R"({"errcode":"M_UNKNOWN","error":"Purge already in progress for !a"})");
  const auto refused = run(admin_.delete_room(room, AdminClient::DeleteRequest()));
  EXPECT_EQ(refused.error().code, Code::rejected);
  EXPECT_THAT(refused.error().why, HasSubstr("already in progress"));
  main_.answer(403, R"({"errcode":"M_FORBIDDEN","error":"Shutdown of this room is forbidden"})");
  EXPECT_THAT(run(admin_.delete_room(room, AdminClient::DeleteRequest())).error().next, Not(HasSubstr("UPDATE users")));
}

}  // namespace
}  // namespace steward::synapse
