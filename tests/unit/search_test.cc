// Search: its options at their edges, what it refuses, and what its statistics say. Which rows are
// eligible is in search_eligibility_test.cc, what distances mean in search_distance_test.cc, what
// many queries have to do with each other (nothing) in search_batch_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "forebay/index.h"
#include "support/index_contents.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::FailsWith;
using forebay::testing::IsInvalid;
using forebay::testing::PositionsOf;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Sizes;
using forebay::testing::SmallIndex;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool Ascending(const std::vector<Hit>& hits) {
  return std::is_sorted(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row_position < b.row_position;
  });
}

TEST(SearchTest, FindsTheRowItself) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
    for (const unsigned num_bits : {4U, 8U}) {
      const SmallIndex small({.metric = metric, .num_bits = num_bits});
      std::size_t found = 0;
      for (std::size_t i = 0; i < 100; ++i) {
        const auto hits = small.Hits(i, {.k = 20, .nprobes = 4});
        EXPECT_THAT(hits, SizeIs(20));
        EXPECT_TRUE(Ascending(hits));
        found += std::any_of(hits.begin(), hits.end(),
                             [i](const Hit& hit) { return hit.row_position == i; });
      }
      EXPECT_GE(found, 95U) << MetricName(metric) << ' ' << num_bits;
    }
  }
}

TEST(SearchTest, FewHitsAreTheFirstOfMany) {
  // Few are found under a threshold, all of them without one.
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const unsigned num_bits : {4U, 8U}) {
      const SmallIndex small({.metric = metric, .num_bits = num_bits, .num_rows = 3000});
      for (std::size_t i = 0; i < 30; ++i) {
        const auto all = small.Hits(i, {.k = 3000, .nprobes = 16});
        for (const std::ptrdiff_t k : {1, 3, 20}) {
          ASSERT_EQ(small.Hits(i, {.k = static_cast<std::size_t>(k), .nprobes = 16}),
                    std::vector<Hit>(all.begin(), all.begin() + k));
        }
      }
    }
  }
}

TEST(SearchTest, NoNeighboursWantedAreNoneGiven) {
  const SmallIndex small;
  const auto result = small.Search(small.vectors.rows(0, 3), {.k = 0});
  EXPECT_THAT(result.hits, ElementsAre(IsEmpty(), IsEmpty(), IsEmpty()));
  EXPECT_THAT(result.stats, SizeIs(3));
  EXPECT_EQ(result.snapshot, 1000U);
  // Also with all else, and even then a bad call is refused.
  EXPECT_THAT(small.Hits(0, {.k = 0, .refine_factor = 3, .raw_vectors = small.raw_vectors()}),
              IsEmpty());
  EXPECT_THAT(small.index.Search(small.vectors.rows(0, 1), {.k = 0, .refine_factor = 1}),
              IsInvalid("refine_factor needs raw_vectors"));
}

TEST(SearchTest, NoProbesWantedAreAsFewAsPossible) {
  const SmallIndex small;
  const auto result = small.Search(small.vectors.rows(0, 1), {.k = 5, .nprobes = 0});
  EXPECT_THAT(result[0], SizeIs(5));
  EXPECT_THAT(result.stats[0].probed_partitions, SizeIs(1));
  EXPECT_EQ(result[0], small.Hits(0, {.k = 5, .nprobes = 1}));
  // As many rows as it has: no other is looked at.
  const std::size_t in_first = small.index.partition_size(result.stats[0].probed_partitions[0]);
  const auto exactly = small.Search(small.vectors.rows(0, 1), {.k = in_first, .nprobes = 0});
  EXPECT_THAT(exactly.stats[0].probed_partitions, SizeIs(1));
  EXPECT_THAT(exactly[0], SizeIs(in_first));
  // More rows than one partition has: on until there are enough.
  const auto more = small.Search(small.vectors.rows(0, 1), {.k = 400, .nprobes = 0});
  EXPECT_THAT(more[0], SizeIs(400));
  const SearchStats& stats = more.stats[0];
  EXPECT_LT(stats.probed_partitions.size(), 16U);
  EXPECT_GE(stats.num_eligible, 400U);
  EXPECT_LT(stats.num_eligible - small.index.partition_size(stats.probed_partitions.back()), 400U);
}

TEST(SearchTest, MoreProbesThanPartitionsAreAll) {
  const SmallIndex small;
  const auto all = small.Search(small.vectors.rows(0, 1), {.k = 50, .nprobes = 16});
  EXPECT_EQ(all.stats[0].num_eligible, 1000U);
  for (const std::size_t nprobes : {std::size_t{17}, std::size_t{1000}, kMost}) {
    const auto result = small.Search(small.vectors.rows(0, 1), {.k = 50, .nprobes = nprobes});
    EXPECT_THAT(result.stats[0].probed_partitions, SizeIs(16));
    EXPECT_EQ(result[0], all[0]);
  }
}

TEST(SearchTest, ProbesComeNearestFirstAndOnlyAddRows) {
  const SmallIndex small;
  std::vector<std::uint32_t> last;
  for (std::size_t nprobes = 1; nprobes <= 16; ++nprobes) {
    const auto result = small.Search(small.vectors.rows(3, 1), {.k = 10, .nprobes = nprobes});
    const auto& probed = result.stats[0].probed_partitions;
    ASSERT_EQ(probed.size(), nprobes);
    EXPECT_TRUE(std::equal(last.begin(), last.end(), probed.begin()));
    last = probed;
    std::size_t rows = 0;
    for (const std::uint32_t p : probed) {
      rows += small.index.partition_size(p);
    }
    EXPECT_EQ(result.stats[0].num_eligible, rows);
    EXPECT_LE(result.stats[0].num_evaluated, rows);
  }
}

TEST(SearchTest, AnEmptyIndexHasNoHits) {
  const IvfPqModel model = RandomModel({});
  const auto index = Value(IvfPqMemIndex::Create(model));
  const Vectors queries = RandomVectors(2, 8, 1);
  const auto result = Value(index.Search(queries.view(), {.k = 10, .nprobes = 1}));
  EXPECT_THAT(result.hits, ElementsAre(IsEmpty(), IsEmpty()));
  EXPECT_EQ(result.snapshot, 0U);
  EXPECT_EQ(result.stats[0].num_eligible, 0U);
}

TEST(SearchTest, FewerRowsThanKAreAllRows) {
  const SmallIndex small({.num_rows = 300});
  for (const std::size_t k : {std::size_t{300}, std::size_t{301}, kMost}) {
    for (const std::size_t refine_factor :
         {std::size_t{0}, std::size_t{1}, std::size_t{3}, kMost}) {
      auto positions = PositionsOf(small.Hits(0, {.k = k,
                                                  .nprobes = 1,
                                                  .refine_factor = refine_factor,
                                                  .raw_vectors = small.raw_vectors()}));
      std::sort(positions.begin(), positions.end());
      std::vector<std::uint64_t> all(300);
      std::iota(all.begin(), all.end(), 0U);
      EXPECT_EQ(positions, all);
    }
  }
}

TEST(SearchTest, NoQueriesHaveNoAnswers) {
  const SmallIndex small;
  const float x = 0;
  for (const VectorView none : {VectorView(), VectorView{nullptr, 0, 8}, VectorView{&x, 0, 1}}) {
    const auto result = small.Search(none, {.num_threads = 4});
    EXPECT_EQ(result.size(), 0U);
    EXPECT_EQ(result.snapshot, 1000U);
  }
}

TEST(SearchTest, AMovedIndexIsSearchedAsBefore) {
  SmallIndex small;
  const auto before = small.Hits(5);
  IvfPqMemIndex moved = std::move(small.index);
  EXPECT_EQ(Value(moved.Search(small.vectors.rows(5, 1)))[0], before);
  small.index = std::move(moved);
  EXPECT_EQ(small.Hits(5), before);
}

TEST(SearchErrorTest, AnotherDimension) {
  const SmallIndex small;
  const Vectors queries = RandomVectors(2, 9, 1);
  EXPECT_THAT(small.index.Search(queries.view()),
              IsInvalid("queries must have the model's dimension 8; got [2][9]"));
  EXPECT_THAT(small.index.Search({queries.data.data(), 2, 0}), IsInvalid("got [2][0]"));
}

TEST(SearchErrorTest, BadQueriesAreNamed) {
  struct Case {
    float element;
    const char* part;
  };
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const SmallIndex small({.metric = metric});
    for (const Case& bad : {Case{std::nanf(""), "query 2 has NaN or an infinite element"},
                            Case{-kInfinity, "query 2 has NaN or an infinite element"},
                            Case{0x1p62F, "query 2 is too long"}}) {
      Vectors queries = RandomVectors(5, 8, 2);
      queries.row(2)[7] = bad.element;
      queries.row(4)[0] = bad.element;
      EXPECT_THAT(small.index.Search(queries.view(), {.num_threads = 2}), IsInvalid(bad.part));
    }
    Vectors queries = RandomVectors(5, 8, 2);
    std::fill_n(queries.row(1), 8, 0.0F);
    if (metric == Metric::kCosine) {
      EXPECT_THAT(small.index.Search(queries.view()),
                  IsInvalid("query 1 is zero, which has no direction under cosine"));
    } else {
      EXPECT_THAT(small.index.Search(queries.view()), Succeeds());
    }
  }
}

TEST(SearchErrorTest, NotANumberInTheRange) {
  const SmallIndex small;
  const float nan = std::nanf("");
  EXPECT_THAT(small.index.Search(small.vectors.rows(0, 1), {.distance_lower = nan}),
              IsInvalid("distance_lower and distance_upper must not be NaN"));
  EXPECT_THAT(small.index.Search(small.vectors.rows(0, 1), {.distance_upper = nan}),
              IsInvalid("must not be NaN"));
}

TEST(SearchErrorTest, BitmapsThatAreTooShort) {
  const SmallIndex small;
  const std::vector<std::uint64_t> words(2, ~std::uint64_t{0});
  const auto search = [&](const SearchOptions& options) {
    return small.index.Search(small.vectors.rows(0, 1), options);
  };
  EXPECT_THAT(search({.filter = Bitmap{words, 128}}), Succeeds());
  EXPECT_THAT(search({.filter = Bitmap{words, 129}}),
              IsInvalid("filter: a bitmap of size 129 needs 3 words; got 2"));
  EXPECT_THAT(search({.hidden_ordinals = Bitmap{words, 129}}),
              IsInvalid("hidden_ordinals: a bitmap of size 129 needs 3 words; got 2"));
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_THAT(search({.filter = Bitmap{words, most}}), IsInvalid("needs 288230376151711744 words"));
}

TEST(SearchErrorTest, FilterPositionsThatDoNotAscend) {
  const SmallIndex small;
  const auto search = [&](const std::vector<std::uint64_t>& positions) {
    return small.index.Search(small.vectors.rows(0, 1),
                              {.filter = std::span<const std::uint64_t>(positions)});
  };
  EXPECT_THAT(search({1, 2, 9, 5, 7}), IsInvalid("filter: positions must ascend; got 5 after 9"));
  EXPECT_THAT(search({1, 2, 2, 5}), Succeeds());
}

TEST(SearchErrorTest, RefiningWithoutRawVectors) {
  const SmallIndex small;
  EXPECT_THAT(small.index.Search(small.vectors.rows(0, 1), {.refine_factor = 1}),
              IsInvalid("refine_factor needs raw_vectors"));
  // Without a refine_factor they are not asked for.
  const auto never = [](std::span<const RowRef>, const float**) { FAIL(); };
  EXPECT_THAT(small.index.Search(small.vectors.rows(0, 1), {.raw_vectors = never}), Succeeds());
}

TEST(SearchErrorTest, AMissingRawVectorIsNamed) {
  const SmallIndex small({.first_position = 7000});
  const std::uint64_t missing = small.Hits(0, {.k = 1})[0].row_position;
  const auto lookup = [&](std::span<const RowRef> rows, const float** out) {
    small.raw_vectors()(rows, out);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out[i] = rows[i].row_position == missing ? nullptr : out[i];
    }
  };
  for (const std::size_t num_threads : Sizes{1, 3}) {
    const auto result = small.index.Search(
        small.vectors.rows(0, 9),
        {.k = 3, .refine_factor = 2, .raw_vectors = lookup, .num_threads = num_threads});
    EXPECT_THAT(
        result,
        IsInvalid(
            ("raw_vectors has no vector for row position " + std::to_string(missing)).c_str()));
  }
}

TEST(SearchErrorTest, ARawVectorThatIsNoDistanceFromIsNamed) {
  struct Case {
    Metric metric;
    float element;
    const char* part;
  };
  for (const Case& bad : {Case{Metric::kL2, std::nanf(""), "has NaN or an infinite element"},
                          Case{Metric::kDot, std::nanf(""), "has NaN or an infinite element"},
                          Case{Metric::kL2, kInfinity, "has NaN or an infinite element"},
                          Case{Metric::kCosine, kInfinity, "has NaN or an infinite element"},
                          Case{Metric::kCosine, 0.0F, "is zero"}}) {
    const SmallIndex small({.metric = bad.metric});
    const std::vector<float> raw(8, bad.element);
    const auto lookup = [&raw](std::span<const RowRef> rows, const float** out) {
      std::fill_n(out, rows.size(), raw.data());
    };
    const auto result = small.index.Search(small.vectors.rows(0, 1),
                                           {.k = 1, .refine_factor = 1, .raw_vectors = lookup});
    EXPECT_THAT(result, IsInvalid("the raw vector of row position "));
    EXPECT_THAT(result, IsInvalid(bad.part));
  }
}

TEST(SearchErrorTest, OfSeveralFailuresTheFirstQuerysIsReported) {
  const SmallIndex small;
  const auto none = [](std::span<const RowRef>, const float**) {};  // All stay nullptr.
  const auto nearest = PositionsOf(small.Hits(0, {.k = 1}));
  for (int round = 0; round < 20; ++round) {
    EXPECT_THAT(
        small.index.Search(small.vectors.rows(0, 50),
                           {.k = 1, .refine_factor = 1, .raw_vectors = none, .num_threads = 4}),
        IsInvalid(("row position " + std::to_string(nearest[0]) + ";").c_str()));
  }
}

TEST(SearchRefineTest, RowsAreNamedByPositionAndOrdinal) {
  const SmallIndex small({.first_position = 5000});
  const auto lookup = [&](std::span<const RowRef> rows, const float** out) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].row_position, 5000U + rows[i].ordinal);
      out[i] = small.vectors.row(rows[i].ordinal);
    }
  };
  const auto result =
      small.Search(small.vectors.rows(0, 1), {.k = 4, .refine_factor = 5, .raw_vectors = lookup});
  EXPECT_EQ(result.stats[0].num_reranked, 20U);
  EXPECT_THAT(result[0], SizeIs(4));
  EXPECT_EQ(result[0][0], (Hit{0.0F, 5000U}));
}

TEST(SearchRefineTest, ReachesTheExactAnswerWhenEnoughIsReranked) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const SmallIndex small({.metric = metric});
    const auto hits = small.Hits(
        0, {.k = 10, .nprobes = 16, .refine_factor = 100, .raw_vectors = small.raw_vectors()});
    // All 1,000 rows were ranked exactly: fewer of them must give the same beginning.
    EXPECT_TRUE(Ascending(hits));
    const auto all =
        small.Hits(0, {.k = 1000, .refine_factor = 1, .raw_vectors = small.raw_vectors()});
    EXPECT_EQ(hits, std::vector<Hit>(all.begin(), all.begin() + 10));
  }
}

}  // namespace
}  // namespace forebay
