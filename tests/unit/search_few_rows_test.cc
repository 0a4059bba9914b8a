// Searches that rank all eligible rows by exact distance, as they are few, and searches within
// them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "support/results.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::Rng;
using forebay::testing::SmallIndex;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Positions = std::vector<std::uint64_t>;

TEST(FewRowsTest, AreAllRankedByExactDistance) {
  const SmallIndex small;
  const Positions allowed = {3, 400, 401, 999};
  const auto result =
      small.Search(small.vectors.rows(0, 1), {.k = 3,
                                              .nprobes = 1,
                                              .refine_factor = 2,
                                              .raw_vectors = small.raw_vectors(),
                                              .filter = std::span<const std::uint64_t>(allowed)});
  EXPECT_TRUE(result.stats[0].exhaustive);
  EXPECT_THAT(result.stats[0].probed_partitions, IsEmpty());
  EXPECT_EQ(result.stats[0].num_eligible, 4U);
  EXPECT_EQ(result.stats[0].num_reranked, 4U);
  EXPECT_THAT(result[0], SizeIs(3));
}

TEST(FewRowsTest, AFilterMayNameAPositionTwice) {
  const SmallIndex small;
  const Positions once = {5, 7};
  const Positions twice = {5, 5, 5, 7, 7};
  for (const std::size_t refine_factor : {std::size_t{0}, std::size_t{2}}) {
    SearchOptions options{
        .k = 4, .refine_factor = refine_factor, .raw_vectors = small.raw_vectors()};
    options.filter = std::span<const std::uint64_t>(once);
    const auto expected = small.Hits(1, options);
    EXPECT_THAT(expected, SizeIs(2));
    options.filter = std::span<const std::uint64_t>(twice);
    EXPECT_EQ(small.Hits(1, options), expected);
  }
}

TEST(FewRowsTest, ManyRowsAreProbed) {
  const SmallIndex small;
  const auto result =
      small.Search(small.vectors.rows(0, 1),
                   {.k = 3, .nprobes = 2, .refine_factor = 2, .raw_vectors = small.raw_vectors()});
  EXPECT_FALSE(result.stats[0].exhaustive);
  EXPECT_THAT(result.stats[0].probed_partitions, SizeIs(2));
}

/// Positions in so many runs, three apart.
Positions InRuns(std::size_t num_runs, std::size_t num_rows) {
  Positions positions;
  for (std::uint64_t run = 0; run < num_runs; ++run) {
    for (std::uint64_t i = 0; i < num_rows / num_runs; ++i) {
      positions.push_back(run * 1000 + i);
    }
  }
  return positions;
}

TEST(FewRowsTest, HowRowsWereBatchedDoesNotMatter) {
  const SmallIndex small;
  for (const std::size_t num_runs : {1U, 2U, 100U, 127U, 128U, 129U, 250U, 500U}) {
    const Positions positions = InRuns(num_runs, 1000);
    const Positions allowed = {positions[1], positions[500], positions[700]};
    std::vector<std::vector<Hit>> answers;
    std::vector<bool> exhaustive;
    for (const std::size_t batch : {1000U, 3U, 1U}) {
      auto index = Value(IvfPqMemIndex::Create(small.index.model()));
      for (std::size_t i = 0; i < positions.size(); i += batch) {
        const std::size_t size = std::min(batch, positions.size() - i);
        Value(index.Insert({.vectors = small.vectors.rows(i, size),
                            .row_positions = std::span(positions).subspan(i, size)}));
      }
      const auto raw = [&](std::span<const RowRef> rows, const float** out) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          out[i] = small.vectors.row(rows[i].ordinal);
        }
      };
      const auto result = Value(index.Search(small.vectors.rows(0, 1),
                                             {.k = 2,
                                              .nprobes = 1,
                                              .refine_factor = 2,
                                              .raw_vectors = raw,
                                              .filter = std::span<const std::uint64_t>(allowed)}));
      answers.push_back(result[0]);
      exhaustive.push_back(result.stats[0].exhaustive);
    }
    EXPECT_THAT(answers, ::testing::Each(answers[0])) << num_runs;
    EXPECT_THAT(exhaustive, ::testing::Each(num_runs <= 128)) << num_runs;
  }
}

TEST(FewRowsTest, RawVectorsMaySearchThemselves) {
  const SmallIndex small;
  SearchOptions inner{.k = 5, .nprobes = 3, .refine_factor = 4, .raw_vectors = small.raw_vectors()};
  SearchOptions outer = inner;
  outer.raw_vectors = [&](std::span<const RowRef> rows, const float** out) {
    EXPECT_THAT(small.Search(small.vectors.rows(0, 300), inner)[0], SizeIs(5));
    small.raw_vectors()(rows, out);
  };
  const Vectors& queries = small.vectors;
  const auto expected = small.Search(queries.rows(0, 8), inner);
  const auto result = small.Search(queries.rows(0, 8), outer);
  EXPECT_EQ(result.hits, expected.hits);
}

}  // namespace
}  // namespace forebay
