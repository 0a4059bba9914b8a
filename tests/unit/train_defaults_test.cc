// The sizes that are chosen where the user gives none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "forebay/model.h"
#include "support/results.h"

namespace forebay {
namespace {

using forebay::testing::IsInvalid;
using forebay::testing::Value;

TEST(TrainDefaultsTest, PartitionsAreThePowerOfTwoNearestToTheSquareRoot) {
  for (std::size_t num_rows = 1; num_rows < 300000; num_rows += 1 + num_rows / 50) {
    const std::size_t n = DefaultNumPartitions(num_rows);
    const double ratio = static_cast<double>(n) / std::sqrt(static_cast<double>(num_rows));
    EXPECT_EQ(n & (n - 1), 0U) << num_rows;
    EXPECT_GE(ratio, std::sqrt(0.5) * 0.999) << num_rows;
    EXPECT_LE(ratio, std::sqrt(2.0) * 1.001) << num_rows;
  }
  EXPECT_EQ(DefaultNumPartitions(0), 1U);
  EXPECT_EQ(DefaultNumPartitions(1000000), 1024U);
  EXPECT_EQ(DefaultNumPartitions(std::numeric_limits<std::size_t>::max()), std::size_t{1} << 32U);
}

TEST(TrainDefaultsTest, SubVectorsAreAsNarrowAsTheyMayBe) {
  EXPECT_EQ(Value(DefaultNumSubVectors(100, 8)), 25U);
  EXPECT_EQ(Value(DefaultNumSubVectors(128, 8)), 32U);
  EXPECT_EQ(Value(DefaultNumSubVectors(7, 8)), 1U);
  EXPECT_EQ(Value(DefaultNumSubVectors(1, 8)), 1U);
  EXPECT_EQ(Value(DefaultNumSubVectors(100, 4)), 50U);
  EXPECT_EQ(Value(DefaultNumSubVectors(2, 4)), 2U);
  EXPECT_THAT(DefaultNumSubVectors(0, 8), IsInvalid("dimension 0"));
  EXPECT_THAT(DefaultNumSubVectors(0, 4), IsInvalid("dimension 0"));
}

TEST(TrainDefaultsTest, DimensionsWithoutASuitableDivisorGetNarrowerSubVectors) {
  EXPECT_EQ(Value(DefaultNumSubVectors(9, 8)), 3U);
  EXPECT_EQ(Value(DefaultNumSubVectors(22, 8)), 11U);
  EXPECT_EQ(Value(DefaultNumSubVectors(97, 8)), 97U);
  EXPECT_EQ(Value(DefaultNumSubVectors(769, 8)), 769U);
  EXPECT_EQ(Value(DefaultNumSubVectors(10, 4)), 10U);
  EXPECT_EQ(Value(DefaultNumSubVectors(194, 4)), 194U);
}

TEST(TrainDefaultsTest, NoSubVectorIsWideForAnyDimension) {
  for (std::size_t dim = 1; dim < 1100; ++dim) {
    for (const unsigned num_bits : {4U, 8U}) {
      const auto chosen = DefaultNumSubVectors(dim, num_bits);
      if (num_bits == 4 && dim % 2 != 0) {
        EXPECT_THAT(chosen, IsInvalid("use 8 bits")) << dim;
        continue;
      }
      const std::size_t count = Value(chosen);
      const std::size_t least_width = num_bits == 4 ? 2 : 4;
      ASSERT_EQ(dim % count, 0U) << dim;
      EXPECT_LE(dim / count, 2 * least_width) << dim;
      EXPECT_TRUE(num_bits == 8 || count % 2 == 0) << dim;
      // No divisor between this one and the least width is any better.
      const std::size_t step = num_bits == 4 ? 2 : 1;
      for (std::size_t width = least_width; width < dim / count; ++width) {
        EXPECT_FALSE(dim % width == 0 && dim / width % step == 0) << dim << ' ' << width;
      }
      for (std::size_t width = dim / count + 1; width <= 2 * least_width; ++width) {
        EXPECT_FALSE(dim / count < least_width && dim % width == 0 && dim / width % step == 0)
            << dim << ' ' << width;
      }
    }
  }
}

}  // namespace
}  // namespace forebay
