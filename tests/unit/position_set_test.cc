#include "index/position_set.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::Rng;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(PositionSetTest, AnEmptySetContainsNothing) {
  const PositionSet set;
  for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{63}, kMax}) {
    EXPECT_FALSE(set.Contains(position));
  }
  EXPECT_EQ(set.allocated_bytes(), 0U);
}

TEST(PositionSetTest, InsertSaysWhetherThePositionIsNew) {
  PositionSet set;
  set.Reserve(3);
  for (const std::uint64_t position :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{64}, kMax, kMax - 1}) {
    EXPECT_FALSE(set.Contains(position)) << position;
    EXPECT_TRUE(set.Insert(position)) << position;
    EXPECT_TRUE(set.Contains(position)) << position;
    EXPECT_FALSE(set.Insert(position)) << position;
  }
  EXPECT_FALSE(set.Contains(2));
  EXPECT_FALSE(set.Contains(65));
  EXPECT_FALSE(set.Contains(kMax - 2));
  EXPECT_FALSE(set.Contains(kMax - 64));  // The page before.
}

TEST(PositionSetTest, AgreesWithAStandardSet) {
  for (const std::uint64_t range : {std::uint64_t{1000}, std::uint64_t{1000000}, kMax}) {
    Rng rng(range);
    PositionSet set;
    std::set<std::uint64_t> expected;
    for (int round = 0; round < 200; ++round) {
      const std::size_t count = rng.Below(60);
      set.Reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        // Random positions, and neighbours of those that are there.
        const std::uint64_t near = expected.empty() ? 0 : *expected.begin() + rng.Below(200);
        const std::uint64_t position = rng.Chance(0.3) ? near : rng.Next() % range;
        ASSERT_EQ(set.Contains(position), expected.contains(position)) << position;
        ASSERT_EQ(set.Insert(position), expected.insert(position).second) << position;
      }
    }
    for (const std::uint64_t position : expected) {
      ASSERT_TRUE(set.Contains(position));
      ASSERT_EQ(set.Contains(position + 1), expected.contains(position + 1));
    }
  }
}

TEST(PositionSetTest, AContiguousRangeCostsAFewBitsForEachPosition) {
  PositionSet set;
  constexpr std::uint64_t kPositions = 1U << 20U;
  set.Reserve(kPositions / PositionSet::kPageSize);
  for (std::uint64_t i = 0; i < kPositions; ++i) {
    ASSERT_TRUE(set.Insert(i));
  }
  EXPECT_LE(set.allocated_bytes() * 8, kPositions * 8);
}

TEST(PositionSetTest, RoomThatIsThereIsNotReservedAgain) {
  PositionSet set;
  set.Reserve(100);
  const std::size_t bytes = set.allocated_bytes();
  EXPECT_GT(bytes, 0U);
  set.Reserve(100);
  set.Reserve(1);
  EXPECT_EQ(set.allocated_bytes(), bytes);
}

}  // namespace
}  // namespace forebay::index
