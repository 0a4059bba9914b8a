// A merged index is what inserting the live rows anew would have made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <vector>

#include "index/merge.h"
#include "support/index_bytes.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::BytesOf;
using forebay::testing::ExpectSameIndex;
using forebay::testing::FailsWith;
using forebay::testing::IsInvalid;
using forebay::testing::ModelShape;
using forebay::testing::OpenCopy;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Rng;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;

constexpr std::size_t kDim = 8;

/// One part and the vectors of its rows.
struct Source {
  Source(const IvfPqModel& model, std::size_t num_rows, std::uint64_t seed)
      : vectors(RandomVectors(num_rows, kDim, seed)), index(Value(IvfPqMemIndex::Create(model))) {
    for (std::size_t i = 0; i < num_rows; i += 100) {  // Positions do not matter.
      Value(index.Insert(vectors.rows(i, std::min<std::size_t>(100, num_rows - i)), i * 1000));
    }
    dead.resize(num_rows / 64 + 1);
  }

  void Kill(std::size_t ordinal) { dead[ordinal / 64] |= std::uint64_t{1} << (ordinal % 64); }
  [[nodiscard]] bool IsLive(std::size_t ordinal) const {
    return (dead[ordinal / 64] >> (ordinal % 64) & 1U) == 0;
  }
  [[nodiscard]] IndexPart part(std::uint32_t num_rows) const {
    return {&index, {dead, index.size()}, num_rows};
  }

  Vectors vectors;
  IvfPqMemIndex index;
  std::vector<std::uint64_t> dead;
};

/// Inserts the live ones of a part's rows.
void AddLive(const Source& source, std::size_t num_rows, Vectors* live) {
  for (std::size_t i = 0; i < num_rows; ++i) {
    if (source.IsLive(i)) {
      live->data.insert(live->data.end(), source.vectors.row(i), source.vectors.row(i) + kDim);
    }
  }
}

void ExpectAsInserted(const IvfPqMemIndex& merged, const Vectors& live) {
  IvfPqMemIndex expected = Value(IvfPqMemIndex::Create(merged.model()));
  Value(expected.Insert(live.view(), 0));
  const Vectors queries = RandomVectors(10, kDim, 99);
  ExpectSameIndex(expected, merged, queries.view(),
                  [&live](std::span<const RowRef> rows, const float** out) {
                    for (std::size_t i = 0; i < rows.size(); ++i) {
                      out[i] = live.row(rows[i].row_position);
                    }
                  });
}

class MergeIndexesTest : public ::testing::TestWithParam<ModelShape> {};

TEST_P(MergeIndexesTest, IsWhatInsertingTheLiveRowsMakes) {
  const IvfPqModel model = RandomModel(GetParam());
  Rng random(7);
  for (const double share : {0.0, 0.02, 0.5, 0.98}) {
    std::vector<Source> sources;
    for (const std::size_t num_rows : {1000U, 1U, 130U, 64U, 777U}) {
      sources.emplace_back(model, num_rows, num_rows);
      for (std::size_t i = 0; i < num_rows; ++i) {
        if (random.Chance(share)) {
          sources.back().Kill(i);
        }
      }
    }
    Vectors live{kDim};
    std::vector<IndexPart> parts;
    for (const Source& source : sources) {
      const std::size_t num_rows = source.vectors.num_rows() - (parts.size() == 2 ? 13 : 0);
      parts.push_back(source.part(static_cast<std::uint32_t>(num_rows)));
      AddLive(source, num_rows, &live);
    }
    ExpectAsInserted(Value(MergeIndexes(parts)), live);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, MergeIndexesTest,
    ::testing::Values(ModelShape{}, ModelShape{.num_bits = 8},
                      ModelShape{.metric = Metric::kDot, .residual = false, .num_partitions = 1},
                      ModelShape{.metric = Metric::kCosine, .num_bits = 8, .num_partitions = 40}),
    [](const auto& shape) { return std::to_string(shape.index); });

TEST(MergeIndexesTest, TheResultTakesInserts) {
  const IvfPqModel model = RandomModel({});
  const Source source(model, 300, 1);
  std::vector<IndexPart> parts = {source.part(300), source.part(100)};
  IvfPqMemIndex merged = Value(MergeIndexes(parts));
  const InsertReport report = Value(merged.Insert(source.vectors.rows(0, 50), 390));
  EXPECT_EQ(report.num_skipped, 10U);
  EXPECT_EQ(report.first_ordinal, 400U);
  Vectors live{kDim};
  AddLive(source, 300, &live);
  AddLive(source, 100, &live);
  live.data.insert(live.data.end(), source.vectors.row(10), source.vectors.row(50));
  ExpectAsInserted(merged, live);
}

TEST(MergeIndexesTest, OpenedIndexesAreMergedToo) {
  const Source source(RandomModel({}), 500, 1);
  const IvfPqMemIndex opened = Value(OpenCopy(BytesOf(source.index)));
  Vectors live{kDim};
  AddLive(source, 500, &live);
  AddLive(source, 500, &live);
  ExpectAsInserted(
      Value(MergeIndexes(std::vector<IndexPart>{{&opened, {}, 500}, {&source.index, {}, 500}})),
      live);
}

TEST(MergeIndexesTest, NothingLiveMakesAnEmptyIndex) {
  Source source(RandomModel({}), 100, 1);
  for (std::size_t i = 0; i < 100; ++i) {
    source.Kill(i);
  }
  const std::vector<IndexPart> parts = {source.part(100), {&source.index, {}, 0}};
  IvfPqMemIndex merged = Value(MergeIndexes(parts));
  EXPECT_TRUE(merged.empty());
  EXPECT_THAT(merged.Insert(source.vectors.view(), 0), Succeeds());
}

TEST(MergeIndexesTest, BadPartsAreRefused) {
  const Source one(RandomModel({.seed = 1}), 100, 1);
  const Source other(RandomModel({.seed = 2}), 100, 1);
  const auto merge = [](std::vector<IndexPart> parts, MemIndexOptions options = {}) {
    return MergeIndexes(parts, std::move(options));
  };
  EXPECT_THAT(merge({}), IsInvalid("at least one"));
  EXPECT_THAT(merge({one.part(100), other.part(100)}), IsInvalid("part 1"));
  EXPECT_THAT(merge({one.part(101)}), IsInvalid("100 rows"));
  EXPECT_THAT(merge({{&one.index, {std::span(one.dead).first(1), 65}, 10}}), IsInvalid("2 words"));
  EXPECT_THAT(merge({one.part(100)}, {.capacity = 0}), IsInvalid("capacity"));
}

}  // namespace
}  // namespace forebay::index
