// Many queries at once: they go through partitions together, on several threads, and each gets the
// answer that it gets alone, bit for bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "forebay/index.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::RandomVectors;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::SmallIndex;
using forebay::testing::Vectors;

constexpr std::size_t kNumRows = 2000;
constexpr std::size_t kNumQueries = 300;
constexpr std::uint64_t kFirstPosition = 100;

/// Hits with the bits of their distances, and what else must not depend on the batch.
struct Answer {
  std::vector<std::tuple<std::uint32_t, std::uint64_t>> hits = {};
  std::vector<std::uint32_t> probed = {};
  std::size_t num_eligible = 0;
  std::size_t num_reranked = 0;

  friend bool operator==(const Answer&, const Answer&) = default;
  friend void PrintTo(const Answer& answer, std::ostream* out) {
    *out << ::testing::PrintToString(answer.hits) << " of partitions "
         << ::testing::PrintToString(answer.probed) << ", " << answer.num_eligible
         << " rows eligible, " << answer.num_reranked << " ranked again";
  }
};

Answer AnswerOf(const SearchResult& result, std::size_t i) {
  const SearchStats& stats = result.stats[i];
  Answer answer{.probed = stats.probed_partitions,
                .num_eligible = stats.num_eligible,
                .num_reranked = stats.num_reranked};
  for (const Hit& hit : result[i]) {
    answer.hits.emplace_back(std::bit_cast<std::uint32_t>(hit.distance), hit.row_position);
  }
  return answer;
}

class SearchBatchTest : public ::testing::TestWithParam<std::tuple<Metric, unsigned>> {
 protected:
  SearchBatchTest()
      : small_({.metric = std::get<0>(GetParam()),
                .num_bits = std::get<1>(GetParam()),
                .num_rows = kNumRows,
                .first_position = kFirstPosition}),
        queries_(RandomVectors(kNumQueries, SmallIndex::kDim, 3)) {}

  /// Calls body(options) without re-ranking and with it.
  void ForBothKinds(SearchOptions options, const std::function<void(const SearchOptions&)>& body) {
    options.raw_vectors = small_.raw_vectors();
    for (const std::size_t refine_factor : Sizes{0, 3}) {
      options.refine_factor = refine_factor;
      body(options);
    }
  }

  [[nodiscard]] std::vector<Answer> OneByOne(const SearchOptions& options) const {
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < kNumQueries; ++i) {
      answers.push_back(AnswerOf(small_.Search(queries_.rows(i, 1), options), 0));
    }
    return answers;
  }

  /// That batches of these sizes, from different queries on, are their queries.
  void ExpectBatches(const SearchOptions& base, std::initializer_list<std::size_t> sizes) {
    ForBothKinds(base, [&](SearchOptions options) {
      const std::vector<Answer> expected = OneByOne(options);
      for (const std::size_t num_threads : Sizes{1, 3}) {
        options.num_threads = num_threads;
        for (const std::size_t size : sizes) {
          const std::size_t begin = (kNumQueries - size) / 2;
          const auto result = small_.Search(queries_.rows(begin, size), options);
          for (std::size_t i = 0; i < size; ++i) {
            ASSERT_EQ(AnswerOf(result, i), expected[begin + i])
                << "query " << i << " of " << size << ", " << num_threads
                << " threads, refine_factor " << options.refine_factor;
          }
        }
      }
    });
  }

  SmallIndex small_;
  const Vectors queries_;
};

std::string Name(const ::testing::TestParamInfo<std::tuple<Metric, unsigned>>& info) {
  return std::string(MetricName(std::get<0>(info.param))) + "_" +
         std::to_string(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(All, SearchBatchTest,
                         ::testing::Combine(::testing::Values(Metric::kL2, Metric::kCosine,
                                                              Metric::kDot),
                                            ::testing::Values(4U, 8U)),
                         Name);

TEST_P(SearchBatchTest, OfAnySizeIsItsQueries) {
  // With 16 partitions and 6 probes they go together from 6 queries on.
  ExpectBatches({.k = 7, .nprobes = 6}, {1, 2, 3, 5, 6, 7, 16, 17, 40, 100, 255, 257, 300});
}

TEST_P(SearchBatchTest, WhateverIsProbedAndWanted) {
  for (const std::size_t nprobes : Sizes{0, 2, 1000}) {
    for (const std::size_t k : Sizes{1, 20, 5000}) {
      ExpectBatches({.k = k, .nprobes = nprobes}, {33});
    }
  }
}

TEST_P(SearchBatchTest, WithAFilter) {
  Rng rng(1);
  for (const double density : {0.0, 0.01, 0.3, 0.98}) {
    std::vector<std::uint64_t> words((kNumRows + 63) / 64 + 4);
    std::vector<std::uint64_t> positions;
    for (std::uint64_t i = 0; i < words.size() * 64; ++i) {
      if (rng.Chance(density)) {
        words[i / 64] |= std::uint64_t{1} << (i % 64);
        positions.push_back(i);
      }
    }
    // The sparse ones make queries probe on, until there are k rows.
    const SearchOptions options{.k = 5, .nprobes = 4};
    SearchOptions bitmap = options;
    bitmap.filter = Bitmap{words, words.size() * 64 - 100};
    ExpectBatches(bitmap, {8, 90});
    SearchOptions ascending = options;
    ascending.filter = std::span<const std::uint64_t>(positions);
    ExpectBatches(ascending, {8, 90});
    SearchOptions hidden = options;
    hidden.hidden_ordinals = Bitmap{words, 1500};
    ExpectBatches(hidden, {8, 90});
  }
}

TEST_P(SearchBatchTest, WithAMaximumPosition) {
  for (const std::uint64_t most : {0U, 150U, 900U, 2099U, 2100U}) {
    ExpectBatches({.k = 5, .nprobes = 4, .max_row_position = most}, {8, 90});
  }
}

TEST_P(SearchBatchTest, WithARange) {
  const auto hits = small_.Search(queries_.rows(140, 1), {.k = 400, .nprobes = 16})[0];
  const float near = hits[20].distance;
  const float far = hits[300].distance;
  ExpectBatches({.k = 9, .nprobes = 6, .distance_lower = near}, {8, 90});
  ExpectBatches({.k = 9, .nprobes = 6, .distance_upper = far}, {8, 90});
  ExpectBatches({.k = 9, .nprobes = 6, .distance_lower = near, .distance_upper = far}, {8, 90});
  ExpectBatches({.k = 900, .nprobes = 6, .distance_lower = near, .distance_upper = far}, {8, 90});
  ExpectBatches({.k = 9, .nprobes = 6, .distance_lower = far, .distance_upper = near}, {8, 90});
}

TEST_P(SearchBatchTest, OnAnyNumberOfThreads) {
  ForBothKinds({.k = 7, .nprobes = 3}, [&](SearchOptions options) {
    const auto expected = small_.Search(queries_.rows(0, 101), options);
    for (const std::size_t num_threads : Sizes{0, 2, 3, 8, 101, 1000}) {
      options.num_threads = num_threads;
      const auto result = small_.Search(queries_.rows(0, 101), options);
      for (std::size_t i = 0; i < 101; ++i) {
        ASSERT_EQ(AnswerOf(result, i), AnswerOf(expected, i)) << num_threads << " threads";
      }
    }
  });
}

TEST_P(SearchBatchTest, OfEqualQueriesHasEqualAnswers) {
  ForBothKinds({.k = 7, .nprobes = 6}, [&](const SearchOptions& options) {
    Vectors same{.dim = SmallIndex::kDim};
    for (std::size_t i = 0; i < 50; ++i) {
      same.data.insert(same.data.end(), queries_.row(0), queries_.row(1));
    }
    const auto result = small_.Search(same.view(), options);
    const auto expected = AnswerOf(small_.Search(queries_.rows(0, 1), options), 0);
    for (std::size_t i = 0; i < 50; ++i) {
      ASSERT_EQ(AnswerOf(result, i), expected) << i;
    }
  });
}

TEST_P(SearchBatchTest, OverPartitionsOfMoreBlocksThanAreScannedAtOnce) {
  const SmallIndex large({.metric = std::get<0>(GetParam()),
                          .num_bits = std::get<1>(GetParam()),
                          .num_rows = 9000,
                          .num_partitions = 3,
                          .first_position = kFirstPosition});
  for (const std::size_t refine_factor : Sizes{0, 2}) {
    const SearchOptions options{
        .k = 4, .nprobes = 3, .refine_factor = refine_factor, .raw_vectors = large.raw_vectors()};
    const auto result = large.Search(queries_.rows(0, 20), options);
    for (std::size_t i = 0; i < 20; ++i) {
      ASSERT_EQ(AnswerOf(result, i), AnswerOf(large.Search(queries_.rows(i, 1), options), 0)) << i;
    }
  }
}

}  // namespace
}  // namespace forebay
