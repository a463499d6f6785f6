// No literal of a statement is ever shown, however it is quoted, cut or nested; the shape stays readable.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/statement_text.hpp"

namespace steward::core {
namespace {

TEST(StatementText, KeepsTheShape) {
  EXPECT_EQ(without_literals("SELECT a.b, \"Odd name\" FROM t1 WHERE c = $1 AND d <> 'x'"), "SELECT a.b, \"Odd name\" FROM t1 WHERE c = $1 AND d <> ?");
  EXPECT_EQ(without_literals("  SELECT\n  1 ,\t2.5e3::bigint  "), "SELECT ? , ?::bigint");
  EXPECT_EQ(without_literals(""), "");
}

TEST(StatementText, EveryKindOfLiteralGoes) {
  for (const char* literal : {"'secret'", "'it''s secret'", "E'sec\\'ret'", "e'\\\\'", "U&'secret'", "B'01'", "x'5ec'", "N'secret'", "$$secret$$",
                              "$tag$se$$cret$tag$", "42", "0x5ec", ".5", "1e10", "''"})
    EXPECT_EQ(without_literals(std::string("SELECT f(") + literal + ") FROM t"), "SELECT f(?) FROM t") << literal;
}

TEST(StatementText, CommentsGo) {
  EXPECT_EQ(without_literals("SELECT a -- 'secret\nFROM t /* secret /* in */ secret */ WHERE b"), "SELECT a FROM t WHERE b");
}

TEST(StatementText, ListsOnlySayThatTheyGoOn) {
  EXPECT_EQ(without_literals("x IN ('a','b','c','d') AND y IN (1, 2) AND z = 3"), "x IN (?, …) AND y IN (?, …) AND z = ?");
  EXPECT_EQ(without_literals("VALUES (1, 'a', 2), (3, 'b', 4)"), "VALUES (?, …), (?, …)");
}

TEST(StatementText, WhatHasNoCertainEndHidesTheRest) {
  EXPECT_EQ(without_literals("SELECT 'cut off here"), "SELECT …");
  EXPECT_EQ(without_literals("SELECT $a$cut off"), "SELECT …");
  EXPECT_EQ(without_literals("SELECT \"cut"), "SELECT …");
  EXPECT_EQ(without_literals("SELECT /* cut 'a' */ /* x"), "SELECT …");
  // Under standard_conforming_strings = off the literal goes on behind \'.
  EXPECT_EQ(without_literals("SELECT 'a\\' secret ' FROM t"), "SELECT …");
  EXPECT_EQ(without_literals("SELECT 'a\\\\' secret ' FROM t"), "SELECT …");
}

// A statement of words and literals in any order, whole or cut anywhere: nothing of a literal is in what is shown.
RC_GTEST_PROP(StatementText, NothingOfALiteralIsShown, ()) {
  const auto pieces = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 8));
  std::string statement;
  for (const int piece : pieces) {
    static const char* const parts[] = {"SELECT a ", "'s3cr3t' ", "E'\\'s3cr3t\\\\' ", "$q$ ' s3cr3t $q$ ", "/* s3cr3t ' */ ", "-- s3cr3t '\n", "(b, \"c'd\") ", "'''s3cr3t''' "};
    statement += parts[piece];
  }
  const std::size_t cut = *rc::gen::inRange<std::size_t>(0, statement.size() + 1);
  RC_ASSERT(without_literals(statement).find("s3cr3t") == std::string::npos);
  RC_ASSERT(without_literals(statement.substr(0, cut)).find("s3cr3t") == std::string::npos);
  RC_ASSERT(without_literals(statement.substr(0, cut)).find("s3") == std::string::npos);
}

}  // namespace
}  // namespace steward::core
