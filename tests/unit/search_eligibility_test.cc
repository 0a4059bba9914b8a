// Which rows a search may return: filters, the greatest position, hidden ordinals; and that k of
// them come if k exist, however few partitions were asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "support/index_contents.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::PositionsByOrdinal;
using forebay::testing::PositionsOf;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::SmallIndex;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t kMaxPosition = std::numeric_limits<std::uint64_t>::max();

/// The bits of `members`, for a Bitmap.
std::vector<std::uint64_t> Words(const std::vector<std::uint64_t>& members, std::uint64_t size) {
  std::vector<std::uint64_t> words((size + 63) / 64);
  for (const std::uint64_t i : members) {
    words.at(i / 64) |= std::uint64_t{1} << (i % 64);
  }
  return words;
}

std::span<const std::uint64_t> Span(const std::vector<std::uint64_t>& positions) {
  return positions;
}

std::vector<std::uint64_t> Sorted(std::vector<std::uint64_t> positions) {
  std::sort(positions.begin(), positions.end());
  return positions;
}

/// The hits among all rows that `eligible` accepts: the search without restrictions, cut down.
std::vector<Hit> Expected(const SmallIndex& small, std::size_t query, std::size_t k,
                          const std::function<bool(std::uint64_t)>& eligible) {
  std::vector<Hit> expected;
  for (const Hit& hit : small.Hits(query, {.k = small.vectors.num_rows()})) {
    if (expected.size() < k && eligible(hit.row_position)) {
      expected.push_back(hit);
    }
  }
  return expected;
}

TEST(FilterTest, BitmapAndPositionsAndRowsAgree) {
  const SmallIndex small({.num_bits = 8});
  Rng rng(1);
  for (const double density : {0.0, 0.01, 0.3, 1.0}) {
    std::vector<std::uint64_t> allowed;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      if (rng.Chance(density)) {
        allowed.push_back(i);
      }
    }
    const auto words = Words(allowed, 1000);
    for (std::size_t query = 0; query < 20; ++query) {
      const auto expected = Expected(small, query, 10, [&](std::uint64_t position) {
        return std::binary_search(allowed.begin(), allowed.end(), position);
      });
      EXPECT_EQ(small.Hits(query, {.k = 10, .nprobes = 16, .filter = Bitmap{words, 1000}}),
                expected);
      EXPECT_EQ(small.Hits(query, {.k = 10, .nprobes = 16, .filter = Span(allowed)}), expected);
    }
  }
}

TEST(FilterTest, KRowsComeIfKExist) {
  const SmallIndex small({.num_partitions = 64});
  Rng rng(2);
  for (int round = 0; round < 30; ++round) {
    std::vector<std::uint64_t> allowed;
    for (int i = 0; i < 5; ++i) {
      allowed.push_back(rng.Below(1000));
    }
    std::sort(allowed.begin(), allowed.end());
    allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
    const auto words = Words(allowed, 1000);
    const std::size_t query = rng.Below(1000);
    for (const RowFilter& filter : {RowFilter(Bitmap{words, 1000}), RowFilter(Span(allowed))}) {
      const auto result = small.Search(small.vectors.rows(query, 1),
                                       {.k = allowed.size(), .nprobes = 1, .filter = filter});
      EXPECT_EQ(Sorted(PositionsOf(result[0])), allowed);
      EXPECT_EQ(result.stats[0].num_eligible, allowed.size());
      // One more does not exist: then every partition was looked at.
      const auto more = small.Search(small.vectors.rows(query, 1),
                                     {.k = allowed.size() + 1, .nprobes = 1, .filter = filter});
      EXPECT_EQ(more[0], result[0]);
      EXPECT_THAT(more.stats[0].probed_partitions, SizeIs(64));
    }
  }
}

TEST(FilterTest, ProbingStopsAsSoonAsThereAreEnough) {
  const SmallIndex small({.num_partitions = 64});
  std::vector<std::uint64_t> even;
  for (std::uint64_t i = 0; i < 1000; i += 2) {
    even.push_back(i);
  }
  const auto result =
      small.Search(small.vectors.rows(0, 1), {.k = 100, .nprobes = 1, .filter = Span(even)});
  EXPECT_THAT(result[0], SizeIs(100));
  std::size_t eligible = 0;
  const auto& probed = result.stats[0].probed_partitions;
  for (std::size_t i = 0; i < probed.size(); ++i) {
    EXPECT_LT(eligible, 100U) << "one partition too many";
    const auto entries = small.index.partition(probed[i]);
    eligible += static_cast<std::size_t>(
        std::count_if(entries.row_positions.begin(), entries.row_positions.end(),
                      [](std::uint64_t position) { return position % 2 == 0; }));
  }
  EXPECT_EQ(result.stats[0].num_eligible, eligible);
}

TEST(FilterTest, NothingAllowedGivesNothing) {
  const SmallIndex small;
  const std::vector<std::uint64_t> none;
  EXPECT_THAT(small.Hits(0, {.filter = Bitmap{}}), IsEmpty());
  EXPECT_THAT(small.Hits(0, {.filter = Span(none)}), IsEmpty());
  const std::vector<std::uint64_t> elsewhere = {1000, 5000, kMaxPosition};
  EXPECT_THAT(small.Hits(0, {.filter = Span(elsewhere)}), IsEmpty());
}

TEST(FilterTest, ABitmapEndsAtItsSize) {
  const SmallIndex small;
  const std::vector<std::uint64_t> ones(2, ~std::uint64_t{0});
  for (const std::uint64_t size : {0U, 1U, 63U, 64U, 65U, 100U, 128U}) {
    const auto positions = PositionsOf(small.Hits(0, {.k = 1000, .filter = Bitmap{ones, size}}));
    EXPECT_THAT(positions, SizeIs(size));
    for (const std::uint64_t position : positions) {
      EXPECT_LT(position, size);
    }
  }
}

TEST(FilterTest, PositionsOf64BitsAreFiltered) {
  auto index = Value(IvfPqMemIndex::Create(RandomModel({})));
  const Vectors vectors = RandomVectors(4, 8, 1);
  const std::vector<std::uint64_t> positions = {kMaxPosition, 5, std::uint64_t{1} << 63U, 0};
  Value(index.Insert({.vectors = vectors.view(), .row_positions = positions}));
  const std::vector<std::uint64_t> allowed = {5, kMaxPosition};
  const auto result = Value(index.Search(vectors.rows(0, 1), {.filter = Span(allowed)}));
  EXPECT_THAT(Sorted(PositionsOf(result[0])), ElementsAre(5, kMaxPosition));
}

TEST(MaxRowPositionTest, IsInclusive) {
  const SmallIndex small;
  for (const std::uint64_t most :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{499}, std::uint64_t{998},
        std::uint64_t{999}, std::uint64_t{1000}, kMaxPosition}) {
    for (const std::size_t k : Sizes{10, 1000}) {
      EXPECT_EQ(small.Hits(7, {.k = k, .nprobes = 16, .max_row_position = most}),
                Expected(small, 7, k, [most](std::uint64_t p) { return p <= most; }))
          << most;
    }
  }
  EXPECT_THAT(PositionsOf(small.Hits(7, {.nprobes = 1, .max_row_position = 0})), ElementsAre(0));
}

TEST(MaxRowPositionTest, NewerRowsWithLowerPositionsAreEligible) {
  SmallIndex small({.num_rows = 500, .first_position = 1000});
  const Vectors more = RandomVectors(20, 8, 5);
  Value(small.index.Insert(more.view(), 100));
  const auto result = Value(
      small.index.Search(more.rows(0, 1), {.k = 1000, .nprobes = 1, .max_row_position = 999}));
  EXPECT_THAT(result[0], SizeIs(20));
}

TEST(HiddenOrdinalsTest, AreNotReturned) {
  const SmallIndex small({.first_position = 100});
  Rng rng(3);
  std::vector<std::uint64_t> hidden;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    if (rng.Chance(0.6)) {
      hidden.push_back(i);
    }
  }
  const auto words = Words(hidden, 1000);
  for (std::size_t query = 0; query < 10; ++query) {
    const auto expected = Expected(small, query, 25, [&](std::uint64_t position) {
      return !std::binary_search(hidden.begin(), hidden.end(), position - 100);
    });
    EXPECT_EQ(small.Hits(query, {.k = 25, .nprobes = 16, .hidden_ordinals = Bitmap{words, 1000}}),
              expected);
  }
}

TEST(HiddenOrdinalsTest, RowsNewerThanTheMaskAreVisible) {
  const SmallIndex small;
  const std::vector<std::uint64_t> ones(16, ~std::uint64_t{0});
  for (const std::uint64_t size : {0U, 64U, 990U, 999U, 1000U}) {
    const auto hits =
        small.Hits(0, {.k = 1000, .nprobes = 1, .hidden_ordinals = Bitmap{ones, size}});
    EXPECT_THAT(hits, SizeIs(1000 - size));
    for (const Hit& hit : hits) {
      EXPECT_GE(hit.row_position, size);
    }
  }
}

TEST(EligibilityTest, AllRestrictionsHoldTogether) {
  for (const std::size_t refine_factor : Sizes{0, 100}) {
    const SmallIndex small;
    std::vector<std::uint64_t> even;
    std::vector<std::uint64_t> hidden;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      if (i % 2 == 0) {
        even.push_back(i);
      }
      if (i % 3 == 0) {
        hidden.push_back(i);
      }
    }
    const auto words = Words(hidden, 1000);
    const auto hits = small.Hits(11, {.k = 500,
                                      .nprobes = 1,
                                      .refine_factor = refine_factor,
                                      .raw_vectors = small.raw_vectors(),
                                      .max_row_position = 601,
                                      .filter = Span(even),
                                      .hidden_ordinals = Bitmap{words, 1000}});
    std::vector<std::uint64_t> expected;
    for (std::uint64_t i = 0; i <= 601; ++i) {
      if (i % 2 == 0 && i % 3 != 0) {
        expected.push_back(i);
      }
    }
    EXPECT_EQ(Sorted(PositionsOf(hits)), expected);
  }
}

}  // namespace
}  // namespace forebay
