#include "index/extent_layout.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <utility>

#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::Sizes;

constexpr std::size_t kMaxRows = std::size_t{1} << 32U;

TEST(ExtentLayoutTest, KeepsWhatItWasGiven) {
  const ExtentLayout layout(100, 7, true);
  EXPECT_EQ(layout.capacity(), 100U);
  EXPECT_EQ(layout.code_len(), 7U);
  EXPECT_TRUE(layout.has_terms());
  EXPECT_FALSE(ExtentLayout(100, 7, false).has_terms());
}

TEST(ExtentLayoutTest, TheFirstExtentHoldsTheCapacityInWholeBlocks) {
  for (const auto& [capacity, rows] :
       {std::pair{1U, 64U}, {63U, 64U}, {64U, 64U}, {65U, 128U}, {1000U, 1024U}, {1024U, 1024U}}) {
    const ExtentLayout layout(capacity, 1, false);
    EXPECT_EQ(layout.first_row(0), 0U);
    EXPECT_EQ(layout.num_rows(0), rows) << capacity;
  }
}

TEST(ExtentLayoutTest, EachExtentHoldsHalfOfAllBeforeItAndAtLeastABlock) {
  for (const std::size_t capacity : Sizes{1, 64, 128, 1000, 1024, 1000000, kMaxRows}) {
    const ExtentLayout layout(capacity, 1, false);
    for (std::size_t e = 1; e < kMaxExtents; ++e) {
      const std::size_t before = layout.first_row(e);
      ASSERT_EQ(layout.num_rows(e) % 64, 0U);
      ASSERT_EQ(layout.num_rows(e), before >= 128 ? before / 128 * 64 : 64) << capacity << ' ' << e;
    }
  }
}

TEST(ExtentLayoutTest, AllExtentsTogetherHoldEveryOrdinal) {
  for (const std::size_t capacity : Sizes{1, 64, 65, 1024, kMaxRows}) {
    EXPECT_GT(ExtentLayout(capacity, 1, false).first_row(kMaxExtents), kMaxRows) << capacity;
  }
}

TEST(ExtentLayoutTest, CapacitiesThatNoIndexFillsCountAsTheGreatest) {
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  for (const std::size_t capacity : Sizes{kMaxRows + 1, kMost / 64, kMost / 2, kMost - 63, kMost}) {
    const ExtentLayout layout(capacity, 1, false);
    EXPECT_EQ(layout.capacity(), kMaxRows);
    EXPECT_EQ(layout.num_rows(0), kMaxRows);
    for (std::size_t e = 0; e < kMaxExtents; ++e) {
      ASSERT_LT(layout.first_row(e), layout.first_row(e + 1)) << "it wrapped around";
    }
  }
}

}  // namespace
}  // namespace forebay::index
