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

/// Positions fall while ordinals rise, so that the order of ties tells which one was compared.
struct Falling {
  std::uint64_t operator[](std::uint32_t ordinal) const { return 1000 - ordinal; }
};
using Top = TopK<Falling>;

TEST(TopKTest, KeepsTheNearestInOrder) {
  Top top{Falling()};
  top.Reset(2);
  top.Offer(3, 970);
  top.Offer(1, 990);
  top.Offer(2, 980);
  top.Offer(4, 960);
  const auto rows = top.Sort();
  EXPECT_THAT(Positions(rows), ElementsAre(10, 20));
  EXPECT_EQ(rows[0].ordinal, 990U);
  EXPECT_EQ(rows[1].distance, 2.0F);
}

TEST(TopKTest, TiesGoToTheLowerPosition) {
  for (const bool more_follows : {false, true}) {
    Top top{Falling()};
    top.Reset(2);
    for (const std::uint32_t position : {7U, 3U, 9U, 5U}) {
      top.Offer(1, 1000 - position);
    }
    if (more_follows) {
      top.Offer(0.5F, 0);
    }
    EXPECT_THAT(Positions(top.Sort()), more_follows ? ElementsAre(1000, 3) : ElementsAre(3, 5));
  }
}

TEST(TopKTest, TheThresholdIsInfiniteUntilKRowsCame) {
  Top top{Falling()};
  top.Reset(2);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer(5, 1);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer(7, 2);
  EXPECT_EQ(top.threshold(), 7.0F);
  top.Offer(6, 3);
  top.Offer(5, 4);
  EXPECT_EQ(top.threshold(), 5.0F);
}

TEST(TopKTest, FewerThanKAreAllKept) {
  Top top{Falling()};
  top.Reset(100);
  EXPECT_THAT(Positions(top.Sort()), IsEmpty());
  top.Reset(std::numeric_limits<std::size_t>::max());
  top.Offer(kInfinity, 998);
  top.Offer(-1, 999);
  EXPECT_THAT(Positions(top.Sort()), ElementsAre(1, 2));
}

TEST(TopKTest, ResetForgets) {
  Top top{Falling()};
  top.Reset(1);
  top.Offer(1, 999);
  top.Reset(3);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer(2, 998);
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
      Top top{Falling()};
      top.Reset(k);
      for (const Candidate& row : rows) {
        top.Offer(row.distance, row.ordinal);
      }
      ASSERT_EQ(Positions(top.Sort()), Positions(sorted)) << k;
    }
  }
}

}  // namespace
}  // namespace forebay::index
