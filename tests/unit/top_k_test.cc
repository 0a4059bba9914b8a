#include "index/top_k.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <tuple>
#include <utility>
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

/// Rows of any distances with falling positions.
std::vector<Candidate> RandomRows(std::size_t num_rows, std::size_t num_distances, Rng* rng) {
  std::vector<Candidate> rows;
  for (std::uint32_t i = 0; i < num_rows; ++i) {
    rows.push_back({static_cast<float>(rng->Below(num_distances)) - 3, i, Falling()[i]});
  }
  return rows;
}

std::vector<Candidate> Nearest(std::vector<Candidate> rows, std::size_t k) {
  std::sort(rows.begin(), rows.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.distance, a.row_position) < std::tie(b.distance, b.row_position);
  });
  rows.resize(std::min(k, rows.size()));
  return rows;
}

TEST(TopKTest, KeepsTheNearestInOrder) {
  Falling positions;
  TopK top;
  top.Reset(2);
  top.Offer(3, 970, &positions);
  top.Offer(1, 990, &positions);
  top.Offer(2, 980, &positions);
  top.Offer(4, 960, &positions);
  const auto rows = top.Sort(&positions);
  EXPECT_THAT(Positions(rows), ElementsAre(10, 20));
  EXPECT_EQ(rows[0].ordinal, 990U);
  EXPECT_EQ(rows[1].distance, 2.0F);
}

TEST(TopKTest, TiesGoToTheLowerPosition) {
  Falling positions;
  for (const bool more_follows : {false, true}) {
    TopK top;
    top.Reset(2);
    for (const std::uint32_t position : {7U, 3U, 9U, 5U}) {
      top.Offer(1, 1000 - position, &positions);
    }
    if (more_follows) {
      top.Offer(0.5F, 0, &positions);
    }
    EXPECT_THAT(Positions(top.Sort(&positions)),
                more_follows ? ElementsAre(1000, 3) : ElementsAre(3, 5));
  }
}

TEST(TopKTest, TheThresholdIsInfiniteUntilKRowsCame) {
  Falling positions;
  TopK top;
  top.Reset(2);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer(5, 1, &positions);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer(7, 2, &positions);
  EXPECT_EQ(top.threshold(), 7.0F);
  top.Offer(6, 3, &positions);
  top.Offer(5, 4, &positions);
  EXPECT_EQ(top.threshold(), 5.0F);
}

TEST(TopKTest, FewerThanKAreAllKept) {
  Falling positions;
  TopK top;
  top.Reset(100);
  EXPECT_THAT(Positions(top.Sort(&positions)), IsEmpty());
  top.Reset(std::numeric_limits<std::size_t>::max());
  top.Offer(kInfinity, 998, &positions);
  top.Offer(-1, 999, &positions);
  EXPECT_THAT(Positions(top.Sort(&positions)), ElementsAre(1, 2));
}

TEST(TopKTest, ResetForgets) {
  Falling positions;
  TopK top;
  top.Reset(1);
  top.Offer(1, 999, &positions);
  top.Reset(3);
  EXPECT_EQ(top.threshold(), kInfinity);
  top.Offer(2, 998, &positions);
  EXPECT_THAT(Positions(top.Sort(&positions)), ElementsAre(2));
}

TEST(TopKTest, TheOrderOfOffersDoesNotMatter) {
  Rng rng(1);
  Falling positions;
  for (const std::size_t k : Sizes{1, 2, 10, 15, 16, 17, 100, 1000}) {
    auto rows = RandomRows(500, 40, &rng);
    const auto nearest = Nearest(rows, k);
    for (int round = 0; round < 5; ++round) {
      rng.Shuffle(&rows);
      TopK top;
      top.Reset(k);
      for (const Candidate& row : rows) {
        top.Offer(row.distance, row.ordinal, &positions);
      }
      ASSERT_EQ(Positions(top.Sort(&positions)), Positions(nearest)) << k;
    }
  }
}

/// Orders in which rows may come.
enum class Order { kRandom, kNearestFirst, kFarthestFirst };

std::vector<Candidate> InOrder(Order order, std::vector<Candidate> rows) {
  if (order != Order::kRandom) {
    rows = Nearest(rows, rows.size());
  }
  if (order == Order::kFarthestFirst) {
    std::reverse(rows.begin(), rows.end());
  }
  return rows;
}

/// That the threshold rules out none of the k nearest rows so far, and has a use; returns it.
float CheckedThreshold(const TopK& top, std::span<const float> sorted, std::size_t k) {
  if (sorted.size() < k) {
    EXPECT_EQ(top.threshold(), kInfinity);
  } else {
    EXPECT_GE(top.threshold(), sorted[k - 1]);
    EXPECT_LE(top.threshold(), sorted.back());
  }
  return top.threshold();
}

TEST(TopKTest, TheThresholdIsNeverBelowTheKth) {
  Rng rng(2);
  Falling positions;
  TopK top;  // The same for all, as a search keeps it.
  for (std::size_t k = 1; k <= 200; k += 1 + k / 9) {
    for (const std::size_t num_distances : Sizes{1, 2, 5, 40, 100000}) {
      for (const Order order : {Order::kRandom, Order::kNearestFirst, Order::kFarthestFirst}) {
        const auto rows = InOrder(order, RandomRows(900, num_distances, &rng));
        top.Reset(k);
        std::vector<float> sorted;
        float last = kInfinity;
        for (const Candidate& row : rows) {
          top.Offer(row.distance, row.ordinal, &positions);
          sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), row.distance), row.distance);
          const float threshold = CheckedThreshold(top, sorted, k);
          ASSERT_LE(threshold, last);
          ASSERT_FALSE(HasFailure()) << "k " << k << ", " << sorted.size() << " rows";
          last = threshold;
        }
        ASSERT_EQ(Positions(top.Rows(&positions)).size(), k);
        ASSERT_EQ(Positions(top.Sort(&positions)), Positions(Nearest(rows, k)))
            << "k " << k << ", " << num_distances << " distances";
      }
    }
  }
}

TEST(TopKTest, TheThresholdFallsWithTheRows) {
  // After many rows it is near the k-th, or the bound would rule out little.
  Rng rng(3);
  Falling positions;
  for (const std::size_t k : Sizes{1, 15, 16, 100}) {
    TopK top;
    top.Reset(k);
    const auto rows = RandomRows(900 * k, 1000000, &rng);
    for (const Candidate& row : rows) {
      top.Offer(row.distance, row.ordinal, &positions);
    }
    EXPECT_LE(top.threshold(), Nearest(rows, 2 * k).back().distance) << k;
  }
}

}  // namespace
}  // namespace forebay::index
