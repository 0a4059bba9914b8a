// What the distances of a search mean, how ties are broken, and what a range of distances does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

#include "forebay/index.h"
#include "support/index_contents.h"
#include "support/naive_index.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::ContentsOf;
using forebay::testing::NaiveIndex;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::SmallIndex;
using forebay::testing::StoredRow;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::size_t kDim = SmallIndex::kDim;

using Doubles = std::vector<double>;

Doubles ToDoubles(const float* vector, bool normalise) {
  Doubles x(vector, vector + kDim);
  if (normalise) {
    double squared_norm = 0;
    for (const double element : x) {
      squared_norm += element * element;
    }
    for (double& element : x) {
      element /= std::sqrt(squared_norm);
    }
  }
  return x;
}

/// What a code stands for.
Doubles Decode(const IvfPqModel& model, const StoredRow& row) {
  const ProductQuantizer& pq = model.pq();
  const std::size_t sub_dim = kDim / pq.num_sub_vectors();
  Doubles x(kDim, 0.0);
  for (std::size_t d = 0; d < kDim; ++d) {
    const std::size_t m = d / sub_dim;
    const unsigned codeword =
        pq.num_bits() == 8 ? row.code[m] : (row.code[m / 2] >> (m % 2 * 4)) & 15U;
    x[d] = static_cast<double>(
        pq.codebook()[(m * pq.num_codewords() + codeword) * sub_dim + d % sub_dim]);
    x[d] +=
        model.residual() ? static_cast<double>(model.ivf().centroids().row(row.partition)[d]) : 0.0;
  }
  return x;
}

double L2(const Doubles& x, const Doubles& y) {
  double sum = 0;
  for (std::size_t d = 0; d < kDim; ++d) {
    sum += (x[d] - y[d]) * (x[d] - y[d]);
  }
  return sum;
}

double Dot(const Doubles& x, const Doubles& y) {
  double sum = 0;
  for (std::size_t d = 0; d < kDim; ++d) {
    sum += x[d] * y[d];
  }
  return sum;
}

class DistanceTest : public ::testing::TestWithParam<std::tuple<Metric, unsigned>> {
 protected:
  static Metric metric() { return std::get<0>(GetParam()); }
  static SmallIndex MakeSmall() {
    return SmallIndex({.metric = metric(), .num_bits = std::get<1>(GetParam())});
  }
};

INSTANTIATE_TEST_SUITE_P(All, DistanceTest,
                         ::testing::Combine(::testing::Values(Metric::kL2, Metric::kCosine,
                                                              Metric::kDot),
                                            ::testing::Values(4U, 8U)));

TEST_P(DistanceTest, WithoutRefiningItIsThatToTheCode) {
  const SmallIndex small = MakeSmall();
  const auto contents = ContentsOf(small.index);
  const bool cosine = metric() == Metric::kCosine;
  for (std::size_t query = 0; query < 10; ++query) {
    const auto hits = small.Hits(query, {.k = 1000});
    ASSERT_THAT(hits, SizeIs(1000));
    const Doubles q = ToDoubles(small.vectors.row(query), cosine);
    for (const Hit& hit : hits) {
      const Doubles x = Decode(small.index.model(), contents.at(hit.row_position));
      // Cosine: half of the squared distance of normalised vectors.
      const double expected = metric() == Metric::kDot ? 1 - Dot(q, x)
                              : cosine                 ? L2(q, x) / 2
                                                       : L2(q, x);
      const double terms = 1 + Dot(q, q) + Dot(x, x) + 2 * std::sqrt(Dot(q, q) * Dot(x, x));
      ASSERT_NEAR(static_cast<double>(hit.distance), expected, 1e-5 * terms) << hit.row_position;
    }
  }
}

TEST_P(DistanceTest, RefinedItIsThatToTheRow) {
  const SmallIndex small = MakeSmall();
  const bool cosine = metric() == Metric::kCosine;
  for (std::size_t query = 0; query < 10; ++query) {
    const auto hits =
        small.Hits(query, {.k = 1000, .refine_factor = 1, .raw_vectors = small.raw_vectors()});
    ASSERT_THAT(hits, SizeIs(1000));
    const Doubles q = ToDoubles(small.vectors.row(query), cosine);
    float last = -kInfinity;
    for (const Hit& hit : hits) {
      const Doubles x = ToDoubles(small.vectors.row(hit.row_position), cosine);
      const double expected = metric() == Metric::kL2 ? L2(q, x) : 1 - Dot(q, x);
      ASSERT_NEAR(static_cast<double>(hit.distance), expected, 1e-5) << hit.row_position;
      ASSERT_GE(hit.distance, last);
      last = hit.distance;
    }
  }
}

TEST(CosineTest, DoesNotSeeTheQuerysLength) {
  const SmallIndex small({.metric = Metric::kCosine});
  Vectors longer{.dim = kDim, .data = {small.vectors.row(0), small.vectors.row(1)}};
  for (float& x : longer.data) {
    x *= 1024;  // A power of two: the normalised query is the same, bit for bit.
  }
  EXPECT_EQ(small.Search(longer.view())[0], small.Hits(0));
}

TEST(TieTest, EqualDistancesAreOrderedByPosition) {
  Rng rng(1);
  for (const std::size_t refine_factor : Sizes{0, 1, 3}) {
    auto index = Value(IvfPqMemIndex::Create(RandomModel({}), {.capacity = 10}));
    // 300 copies of each of three vectors at positions in random order.
    const Vectors vectors = RandomVectors(3, kDim, 2);
    std::vector<std::uint64_t> positions;
    Vectors rows{.dim = kDim};
    for (std::uint64_t i = 0; i < 900; ++i) {
      positions.push_back(i);
    }
    rng.Shuffle(&positions);
    for (const std::uint64_t position : positions) {
      const float* row = vectors.row(position % 3);
      rows.data.insert(rows.data.end(), row, row + kDim);
    }
    Value(index.Insert({.vectors = rows.view(), .row_positions = positions}));
    const auto raw = [&](std::span<const RowRef> wanted, const float** out) {
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        out[i] = vectors.row(wanted[i].row_position % 3);
      }
    };
    for (const std::size_t k : Sizes{1, 10, 200}) {
      const auto result = Value(
          index.Search(vectors.rows(1, 1),
                       {.k = k, .nprobes = 4, .refine_factor = refine_factor, .raw_vectors = raw}));
      ASSERT_THAT(result[0], SizeIs(k));
      for (std::size_t i = 0; i < k; ++i) {
        ASSERT_EQ(result[0][i].row_position, 3 * i + 1) << "k " << k;
        ASSERT_EQ(result[0][i].distance, result[0][0].distance);
      }
    }
  }
}

/// Hits of a search over all partitions within [lower, upper).
std::vector<Hit> Within(const SmallIndex& small, std::size_t query, std::size_t k, float lower,
                        float upper) {
  return small.Hits(query,
                    {.k = k, .nprobes = 16, .distance_lower = lower, .distance_upper = upper});
}

TEST_P(DistanceTest, ARangeHoldsItsLowerEndAndNotItsUpper) {
  const SmallIndex small = MakeSmall();
  for (std::size_t query = 0; query < 5; ++query) {
    const auto all = small.Hits(query, {.k = 1000, .nprobes = 16});
    for (const auto& [first, last] : {std::pair{0U, 50U}, {100U, 101U}, {300U, 999U}}) {
      const float lower = all[first].distance;
      const float upper = all[last].distance;
      for (const std::size_t k : Sizes{1, 7, 1000}) {
        std::vector<Hit> expected;
        std::copy_if(all.begin(), all.end(), std::back_inserter(expected),
                     [&](const Hit& hit) { return hit.distance >= lower && hit.distance < upper; });
        expected.resize(std::min(k, expected.size()));
        EXPECT_EQ(Within(small, query, k, lower, upper), expected) << first << ' ' << last;
      }
    }
    EXPECT_EQ(Within(small, query, 1000, -kInfinity, kInfinity), all);
    EXPECT_THAT(Within(small, query, 10, all[3].distance, all[3].distance), IsEmpty());
    EXPECT_THAT(Within(small, query, 10, all[9].distance, all[3].distance), IsEmpty());
    EXPECT_THAT(Within(small, query, 10, kInfinity, kInfinity), IsEmpty());
    EXPECT_THAT(Within(small, query, 10, -kInfinity, -kInfinity), IsEmpty());
  }
}

TEST(RangeTest, NeverExtendsProbing) {
  const SmallIndex small;
  const auto result =
      small.Search(small.vectors.rows(0, 1), {.k = 5, .nprobes = 1, .distance_upper = -1.0F});
  EXPECT_THAT(result[0], IsEmpty());
  EXPECT_THAT(result.stats[0].probed_partitions, SizeIs(1));
  EXPECT_EQ(result.stats[0].num_eligible,
            small.index.partition_size(result.stats[0].probed_partitions[0]));
}

TEST_P(DistanceTest, RefinedARangeAppliesToExactDistances) {
  const SmallIndex small = MakeSmall();
  SearchOptions options{.k = 1000, .refine_factor = 1, .raw_vectors = small.raw_vectors()};
  for (std::size_t query = 0; query < 5; ++query) {
    const auto all = small.Hits(query, options);
    SearchOptions within = options;
    within.distance_upper = all[200].distance;  // All are candidates: exact.
    const auto below = small.Hits(query, within);
    EXPECT_THAT(below, SizeIs(200));
    EXPECT_EQ(below, std::vector<Hit>(all.begin(), all.begin() + 200));
  }
}

TEST_P(DistanceTest, RowsWhoseBoundIsBelowTheRangeAreNoCandidates) {
  const SmallIndex small = MakeSmall();
  NaiveIndex naive(small.index.model(), small.index.options());
  const VectorBatch batch{.vectors = small.vectors.view()};
  ASSERT_THAT(naive.Insert({&batch, 1}), Succeeds());
  SearchOptions options{
      .k = 400, .nprobes = 16, .refine_factor = 1, .raw_vectors = small.raw_vectors()};
  for (std::size_t query = 0; query < 5; ++query) {
    const auto all = small.Hits(query, options);
    SearchOptions within = options;
    within.distance_lower = all[50].distance;
    within.distance_upper = all[300].distance;
    const float* vector = small.vectors.row(query);
    const auto expected = Value(naive.Search(vector, within, naive.ProbeOrder(vector)));
    const auto result = small.Search(small.vectors.rows(query, 1), within);
    EXPECT_EQ(result[0], expected.hits);
    EXPECT_EQ(result.stats[0].num_reranked, expected.num_reranked);
    // It rules out rows, and some that are in the range: that is what it may do.
    EXPECT_FALSE(result.stats[0].exhaustive);
    EXPECT_LT(expected.num_reranked, 1000U);
    EXPECT_LE(expected.hits.size(), 300U);
    EXPECT_GT(expected.hits.size(), 50U);
  }
}

TEST_P(DistanceTest, CandidatesAreTheRowsOfLeastBound) {
  const SmallIndex small = MakeSmall();
  NaiveIndex naive(small.index.model(), small.index.options());
  const VectorBatch batch{.vectors = small.vectors.view()};
  ASSERT_THAT(naive.Insert({&batch, 1}), Succeeds());
  for (const std::size_t refine_factor : Sizes{1, 2, 5, 30}) {
    const SearchOptions options{
        .k = 10, .nprobes = 6, .refine_factor = refine_factor, .raw_vectors = small.raw_vectors()};
    const auto result = small.Search(small.vectors.rows(0, 100), options);
    for (std::size_t query = 0; query < 100; ++query) {
      const auto expected = Value(
          naive.Search(small.vectors.row(query), options, result.stats[query].probed_partitions));
      ASSERT_EQ(result[query], expected.hits) << refine_factor;
      ASSERT_EQ(result.stats[query].num_reranked, expected.num_reranked) << refine_factor;
    }
  }
}

TEST(RefineFillTest, FilledRowsAreRankedAsTheyWereIndexed) {
  auto index = Value(IvfPqMemIndex::Create(
      RandomModel({}), {.on_bad_vectors = OnBadVectors::kFill, .fill_value = 0.5F}));
  Vectors vectors = RandomVectors(3, kDim, 3);
  vectors.row(1)[4] = std::nanf("");
  Value(index.Insert(vectors.view(), 0));
  const auto raw = [&](std::span<const RowRef> rows, const float** out) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out[i] = vectors.row(rows[i].row_position);
    }
  };
  const std::vector<float> query(kDim, 0.75F);
  const auto result = Value(
      index.Search({query.data(), 1, kDim}, {.k = 3, .refine_factor = 1, .raw_vectors = raw}));
  ASSERT_THAT(result[0], SizeIs(3));
  const auto filled = std::find_if(result[0].begin(), result[0].end(),
                                   [](const Hit& hit) { return hit.row_position == 1; });
  ASSERT_NE(filled, result[0].end());
  EXPECT_EQ(filled->distance, 8 * 0.0625F);
}

}  // namespace
}  // namespace forebay
