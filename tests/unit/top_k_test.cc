#include "index/top_k.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::Rng;
using forebay::testing::Sizes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<std::uint64_t> Positions(std::span<const Candidate> rows) {
  std::vector<std::uint64_t> positions;
  for (const Candidate& row : rows) {
    positions.push_back(row.row_position);
  }
  return positions;
}

TEST(TopKTest, KeepsTheNearestInOrder) {
  TopK top;
  top.Reset(2);
  top.Offer({3, 0, 30});
  top.Offer({1, 1, 10});
  top.Offer({2, 2, 20});
  top.Offer({4, 3, 40});
  const auto rows = top.Sort();
  EXPECT_THAT(Positions(rows), ElementsAre(10, 20));
  EXPECT_EQ(rows[0].ordinal, 1U);
  EXPECT_EQ(rows[1].distance, 2.0F);
}

TEST(TopKTest, TiesGoToTheLowerPosition) {
  TopK top;
  top.Reset(2);
  for (const std::uint64_t position : {7U, 3U, 9U, 5U}) {
    top.Offer({1, 0, position});
  }
  EXPECT_THAT(Positions(top.Sort()), ElementsAre(3, 5));
}

TEST(TopKTest, TheThresholdIsInfiniteUntilItIsFull) {
  TopK top;
  top.Reset(2);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer({5, 0, 1});
  EXPECT_FALSE(top.full());
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer({7, 0, 2});
  EXPECT_TRUE(top.full());
  EXPECT_EQ(top.threshold(), 7.0F);
  top.Offer({6, 0, 3});
  EXPECT_EQ(top.threshold(), 6.0F);
}

TEST(TopKTest, FewerThanKAreAllKept) {
  TopK top;
  top.Reset(100);
  EXPECT_THAT(Positions(top.Sort()), IsEmpty());
  top.Reset(std::numeric_limits<std::size_t>::max());
  top.Offer({kInfinity, 0, 2});
  top.Offer({-1, 0, 1});
  EXPECT_THAT(Positions(top.Sort()), ElementsAre(1, 2));
}

TEST(TopKTest, ResetForgets) {
  TopK top;
  top.Reset(1);
  top.Offer({1, 0, 1});
  top.Reset(3);
  EXPECT_FALSE(top.full());
  top.Offer({2, 0, 2});
  EXPECT_THAT(Positions(top.Sort()), ElementsAre(2));
}

TEST(TopKTest, TheOrderOfOffersDoesNotMatter) {
  Rng rng(1);
  for (const std::size_t k : Sizes{1, 2, 10, 100, 1000}) {
    std::vector<Candidate> rows;
    for (std::uint32_t i = 0; i < 500; ++i) {
      rows.push_back({static_cast<float>(rng.Below(40)), i, 1000 - i});
    }
    auto sorted = rows;
    std::sort(sorted.begin(), sorted.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.distance, a.row_position) < std::tie(b.distance, b.row_position);
    });
    sorted.resize(std::min(k, sorted.size()));
    for (int round = 0; round < 5; ++round) {
      rng.Shuffle(&rows);
      TopK top;
      top.Reset(k);
      for (const Candidate& row : rows) {
        top.Offer(row);
      }
      ASSERT_EQ(Positions(top.Sort()), Positions(sorted)) << k;
    }
  }
}

}  // namespace
}  // namespace forebay::index
