// Golden files: a text is compared with the file of that name in tests/golden. STEWARD_REWRITE_GOLDEN=1 writes the
// files anew; such a run proves nothing and counts as skipped. Needs the definition STEWARD_GOLDEN_DIR.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace steward::test {

inline void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(STEWARD_GOLDEN_DIR) + "/" + name;
  if (std::getenv("STEWARD_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text << '\n';
    GTEST_SKIP() << "wrote " << name;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << "no golden file " << name << "; STEWARD_REWRITE_GOLDEN=1 writes it";
  const std::string expected{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(text + '\n', expected) << "differs from tests/golden/" << name;
}

}  // namespace steward::test
