// Versions as Synapse writes them.
#include <gmock/gmock.h>

#include "synapse/admin_client.hpp"

namespace steward::synapse {
namespace {

TEST(SynapseVersion, ReadsReleasesAndCandidates) {
  const auto version = parse_version("1.163.2");
  ASSERT_TRUE(version);
  EXPECT_EQ(version->major, 1);
  EXPECT_EQ(version->minor, 163);
  EXPECT_EQ(version->patch, 2);
  EXPECT_EQ(version->text, "1.163.2");
  const auto candidate = parse_version("1.164.0rc1 (b=develop,1234567)");
  ASSERT_TRUE(candidate);
  EXPECT_EQ(candidate->minor, 164);
  EXPECT_EQ(candidate->patch, 0);
  EXPECT_TRUE(parse_version("1.98"));
}

TEST(SynapseVersion, OrdersByNumberNotByText) {
  EXPECT_LT(*parse_version("1.98.0"), *parse_version("1.106.0"));
  EXPECT_LT(*parse_version("1.163.1"), *parse_version("1.163.2"));
  EXPECT_EQ(*parse_version("1.164.0rc1"), *parse_version("1.164.0"));
}

TEST(SynapseVersion, RefusesWhatIsNone) {
  for (const char* text : {"", "x", "1", "1.", ".1", "-1.2", "1.x", "v1.2", "99999999999.1"}) {
    EXPECT_FALSE(parse_version(text)) << text;
  }
}

}  // namespace
}  // namespace steward::synapse
