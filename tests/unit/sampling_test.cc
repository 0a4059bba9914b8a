#include "model/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "support/test_data.h"

namespace forebay::model {
namespace {

using forebay::testing::Sizes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SamplingTest, AskingForAllGivesAll) {
  EXPECT_THAT(SampleAscending(4, 4, 1), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(SampleAscending(4, 5000, 2), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(SampleAscending(0, 3, 3), IsEmpty());
  EXPECT_THAT(SampleAscending(9, 0, 4), IsEmpty());
}

TEST(SamplingTest, GivesDifferentNumbersInOrder) {
  for (const std::size_t n : Sizes{2, 10, 1000, 100000}) {
    for (const std::size_t count : {std::size_t{1}, n / 2, n - 1}) {
      const auto sample = SampleAscending(n, count, n + count);
      ASSERT_EQ(sample.size(), count);
      ASSERT_TRUE(std::is_sorted(sample.begin(), sample.end(), std::less_equal<>()));
      ASSERT_LT(sample.back(), n);
    }
  }
}

TEST(SamplingTest, TheSeedDecides) {
  EXPECT_EQ(SampleAscending(1000, 50, 7), SampleAscending(1000, 50, 7));
  EXPECT_NE(SampleAscending(1000, 50, 7), SampleAscending(1000, 50, 8));
}

TEST(SamplingTest, EveryNumberComesEquallyOften) {
  std::vector<int> counts(20);
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    for (const std::size_t i : SampleAscending(20, 5, seed)) {
      ++counts[i];
    }
  }
  for (const int count : counts) {  // 1,000 each; the standard deviation is 27.
    EXPECT_NEAR(count, 1000, 150);
  }
}

}  // namespace
}  // namespace forebay::model
