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

TEST(TrainDefaultsTest, SubVectorsAreAsManyAsTheirLeastWidthAllows) {
  EXPECT_EQ(Value(DefaultNumSubVectors(100, 8)), 25U);
  EXPECT_EQ(Value(DefaultNumSubVectors(128, 8)), 32U);
  EXPECT_EQ(Value(DefaultNumSubVectors(7, 8)), 1U);
  EXPECT_EQ(Value(DefaultNumSubVectors(1, 8)), 1U);
  EXPECT_EQ(Value(DefaultNumSubVectors(100, 4)), 50U);
  EXPECT_EQ(Value(DefaultNumSubVectors(2, 4)), 2U);
  for (std::size_t dim = 1; dim < 500; ++dim) {
    for (const unsigned num_bits : {4U, 8U}) {
      const auto chosen = DefaultNumSubVectors(dim, num_bits);
      if (num_bits == 4 && dim % 2 != 0) {
        EXPECT_THAT(chosen, IsInvalid("use 8 bits")) << dim;
        continue;
      }
      const std::size_t count = Value(chosen);
      const std::size_t width = num_bits == 4 ? 2 : 4;
      EXPECT_EQ(dim % count, 0U) << dim;
      EXPECT_TRUE(num_bits == 8 || count % 2 == 0) << dim;
      // No larger number will do.
      for (std::size_t more = count + 1; more * width <= dim; ++more) {
        EXPECT_TRUE(dim % more != 0 || (num_bits == 4 && more % 2 != 0)) << dim << ' ' << more;
      }
    }
  }
  EXPECT_THAT(DefaultNumSubVectors(0, 8), IsInvalid("dimension 0"));
  EXPECT_THAT(DefaultNumSubVectors(0, 4), IsInvalid("dimension 0"));
}

}  // namespace
}  // namespace forebay
