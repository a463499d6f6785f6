// Targets: what goes out is encoded to the last separator, what comes in is decoded or refused.
#include <gmock/gmock.h>
#include <rapidcheck.h>

#include "http/transport.hpp"
#include "http/url.hpp"

namespace steward::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(Target, EncodesEverySegmentAndValue) {
  EXPECT_EQ(target({"_matrix", "client", "v3", "rooms", "!a/b:hs", "send"}, {{"user_id", "@steward:hs"}, {"q", "a b&c=d#e"}}),
            "/_matrix/client/v3/rooms/%21a%2Fb%3Ahs/send?user_id=%40steward%3Ahs&q=a%20b%26c%3Dd%23e");
  EXPECT_EQ(target({}), "/");
}

TEST(Target, DotSegmentsAndHostileTextStayInTheirSegment) {
  EXPECT_EQ(target({"media", "..", "."}), "/media/%2E%2E/%2E");
  EXPECT_EQ(target({"a?b#c", "%2e", "\r\nX: y"}), "/a%3Fb%23c/%252e/%0D%0AX%3A%20y");
}

TEST(Target, RoundTripsAnyText) {
  const bool holds = rc::check("parse_target(target(x)) == x", [] {
    const auto segments = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(
        rc::gen::nonEmpty<std::string>()));
    const auto query = *rc::gen::container<std::vector<std::pair<std::string, std::string>>>(
        rc::gen::pair(rc::gen::nonEmpty<std::string>(), rc::gen::arbitrary<std::string>()));
    const ParsedTarget parsed = parse_target(target(segments, query));
    RC_ASSERT(parsed.segments == segments);
    RC_ASSERT(parsed.query == query);
  });
  EXPECT_TRUE(holds);
}

TEST(ParseTarget, SplitsAndDecodes) {
  const auto parsed = parse_target("/_matrix/app/v1/transactions/41%2F2?access_token=x%20y&z");
  EXPECT_THAT(parsed.segments, ElementsAre("_matrix", "app", "v1", "transactions", "41/2"));
  EXPECT_THAT(parsed.query, ElementsAre(Pair("access_token", "x y"), Pair("z", "")));
}

TEST(ParseTarget, WhatCannotBeReadGivesNoPath) {
  for (const char* bad : {"", "*", "relative", "//a", "/a//b", "/a/", "/a%zz", "/a%2", "http://host/a", "/a b", "/\xff"}) {
    EXPECT_THAT(parse_target(bad).segments, IsEmpty()) << bad;
  }
}

TEST(PercentDecode, LeavesBrokenEscapesAlone) {
  EXPECT_EQ(percent_decode("%21a%3Ahs"), "!a:hs");
  EXPECT_EQ(percent_decode("100%"), "100%");
  EXPECT_EQ(percent_decode("%zz"), "%zz");
}

TEST(ResponseHeader, IgnoresCase) {
  Response response;
  response.headers = {{"Retry-After", "3"}, {"retry-after", "4"}};
  EXPECT_EQ(response.header("RETRY-AFTER"), "3");
  EXPECT_EQ(response.header("none"), "");
}

}  // namespace
}  // namespace steward::http
