// What Insert does with bad vectors: error, drop, fill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "forebay/index.h"
#include "support/index_contents.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::ContentsOf;
using forebay::testing::IsInvalid;
using forebay::testing::PositionsByOrdinal;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kDim = 8;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

IvfPqMemIndex MakeIndex(Metric metric, const MemIndexOptions& options) {
  return Value(IvfPqMemIndex::Create(
      RandomModel({.metric = metric, .residual = metric != Metric::kDot}), options));
}

/// One way for a vector to be bad: every element is `value`, or only the last one.
struct Bad {
  const char* name;
  Metric metric;
  float value;
  bool everywhere;
  const char* message;
};

constexpr char kNotFinite[] = "has NaN or an infinite element; every element must be finite";
constexpr char kTooLong[] = "is too long: its squared norm overflows (2^124 or more)";
constexpr char kZero[] = "is zero, which has no direction under cosine";

class BadVectorsTest : public ::testing::TestWithParam<Bad> {
 protected:
  static Metric metric() { return GetParam().metric; }

  /// Ten rows of which those with the numbers 3 and 7 are bad.
  static Vectors Rows() {
    Vectors vectors = RandomVectors(10, kDim, 1);
    for (const std::size_t i : {std::size_t{3}, std::size_t{7}}) {
      for (std::size_t d = GetParam().everywhere ? 0 : kDim - 1; d < kDim; ++d) {
        vectors.row(i)[d] = GetParam().value;
      }
    }
    return vectors;
  }
};

INSTANTIATE_TEST_SUITE_P(
    Kinds, BadVectorsTest,
    ::testing::Values(
        Bad{"nan", Metric::kL2, std::numeric_limits<float>::quiet_NaN(), false, kNotFinite},
        Bad{"infinity", Metric::kDot, kInfinity, false, kNotFinite},
        Bad{"minus_infinity", Metric::kCosine, -kInfinity, false, kNotFinite},
        Bad{"all_infinite", Metric::kL2, kInfinity, true, kNotFinite},
        Bad{"too_long", Metric::kL2, 0x1p62F, false, kTooLong},
        Bad{"too_long_dot", Metric::kDot, -0x1p62F, false, kTooLong},
        Bad{"overflows", Metric::kCosine, std::numeric_limits<float>::max(), true, kTooLong},
        Bad{"too_long_together", Metric::kL2, 0x1.7p60F, true, kTooLong},
        Bad{"zero", Metric::kCosine, 0.0F, true, kZero},
        Bad{"minus_zero", Metric::kCosine, -0.0F, true, kZero},
        Bad{"short", Metric::kCosine, 1e-30F, true, kZero}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(BadVectorsTest, ErrorNamesTheFirstAndInsertsNothing) {
  IvfPqMemIndex index = MakeIndex(metric(), {});
  const Vectors good = RandomVectors(4, kDim, 2);
  ASSERT_THAT(index.Insert(good.view(), 1000), Succeeds());
  const std::size_t bytes = index.memory_usage().total();
  const auto contents = ContentsOf(index);
  const Vectors rows = Rows();
  const auto inserted = index.Insert(rows.view(), 50);
  EXPECT_THAT(inserted, IsInvalid("the vector of row 3 (position 53) "));
  EXPECT_THAT(inserted, IsInvalid(GetParam().message));
  EXPECT_THAT(inserted, IsInvalid("nothing was inserted"));
  EXPECT_EQ(index.size(), 4U);
  EXPECT_EQ(ContentsOf(index), contents);
  EXPECT_EQ(index.memory_usage().total(), bytes);
  // The positions are free.
  EXPECT_EQ(Value(index.Insert(rows.rows(0, 3), 50)).num_inserted, 3U);
}

TEST_P(BadVectorsTest, DropLeavesThemOutAndCounts) {
  IvfPqMemIndex index = MakeIndex(metric(), {.on_bad_vectors = OnBadVectors::kDrop});
  const Vectors rows = Rows();
  const InsertReport report = Value(index.Insert(rows.view(), 0));
  EXPECT_EQ(report.num_inserted, 8U);
  EXPECT_EQ(report.num_dropped, 2U);
  EXPECT_EQ(report.num_filled, 0U);
  EXPECT_THAT(PositionsByOrdinal(index), ElementsAre(0, 1, 2, 4, 5, 6, 8, 9));
  // A dropped position was never stored: a good vector can still have it.
  EXPECT_EQ(Value(index.Insert(rows.rows(0, 1), 3)).num_inserted, 1U);
}

TEST_P(BadVectorsTest, FillIndexesTheFillVectorAndCounts) {
  IvfPqMemIndex index =
      MakeIndex(metric(), {.on_bad_vectors = OnBadVectors::kFill, .fill_value = 0.25F});
  const Vectors rows = Rows();
  const InsertReport report = Value(index.Insert(rows.view(), 0));
  EXPECT_EQ(report.num_inserted, 10U);
  EXPECT_EQ(report.num_filled, 2U);
  EXPECT_EQ(report.num_dropped, 0U);
  const std::vector<float> fill(kDim, 0.25F);
  ASSERT_THAT(index.Insert({fill.data(), 1, kDim}, 100), Succeeds());
  const auto contents = ContentsOf(index);
  EXPECT_EQ(contents.size(), 11U);
  EXPECT_EQ(contents.at(3), contents.at(100));
  EXPECT_EQ(contents.at(7), contents.at(100));
}

TEST(BadVectorsMetricTest, ZeroIsGoodButUnderCosine) {
  const std::vector<float> zeros(kDim, 0.0F);
  for (const Metric metric : {Metric::kL2, Metric::kDot}) {
    IvfPqMemIndex index = MakeIndex(metric, {});
    EXPECT_THAT(index.Insert({zeros.data(), 1, kDim}, 0), Succeeds());
  }
}

TEST(BadVectorsMetricTest, JustBelowTheGreatestNormIsGood) {
  std::vector<float> longest(kDim, 0.0F);
  longest[5] = 0x1.FFFFFEp61F;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    IvfPqMemIndex index = MakeIndex(metric, {});
    EXPECT_THAT(index.Insert({longest.data(), 1, kDim}, 0), Succeeds()) << MetricName(metric);
  }
}

/// Bits are read from `offset` on; a null row's floats may be anything.
TEST(NullsTest, AreReadFromTheBitmapAtItsOffset) {
  Vectors vectors = RandomVectors(20, kDim, 3);
  for (std::size_t offset = 0; offset < 20; ++offset) {
    std::vector<std::uint8_t> validity(6, 0xFF);
    for (const std::size_t null : {std::size_t{4}, std::size_t{13}}) {
      const std::size_t bit = offset + null;
      validity[bit / 8] = static_cast<std::uint8_t>(validity[bit / 8] & ~(1U << (bit % 8)));
    }
    vectors.row(4)[0] = std::nanf("");  // 13 looks good.
    const VectorBatch batch{.vectors = vectors.view(),
                            .first_row_position = 100,
                            .validity = validity.data(),
                            .validity_offset = offset};
    IvfPqMemIndex strict = MakeIndex(Metric::kL2, {});
    EXPECT_THAT(strict.Insert(batch), IsInvalid("the vector of row 4 (position 104) is null"));
    EXPECT_TRUE(strict.empty());

    IvfPqMemIndex dropping = MakeIndex(Metric::kL2, {.on_bad_vectors = OnBadVectors::kDrop});
    EXPECT_EQ(Value(dropping.Insert(batch)).num_dropped, 2U);
    EXPECT_EQ(dropping.size(), 18U);
    EXPECT_EQ(ContentsOf(dropping).count(104), 0U);
    EXPECT_EQ(ContentsOf(dropping).count(113), 0U);

    IvfPqMemIndex filling =
        MakeIndex(Metric::kL2, {.on_bad_vectors = OnBadVectors::kFill, .fill_value = -1.0F});
    EXPECT_EQ(Value(filling.Insert(batch)).num_filled, 2U);
    EXPECT_EQ(ContentsOf(filling).at(104), ContentsOf(filling).at(113));
  }
}

TEST(NullsTest, StoredRowsAreSkippedWhateverTheyAreNow) {
  IvfPqMemIndex index = MakeIndex(Metric::kL2, {});
  Vectors vectors = RandomVectors(3, kDim, 4);
  ASSERT_THAT(index.Insert(vectors.view(), 0), Succeeds());
  vectors.row(1)[0] = std::nanf("");
  EXPECT_EQ(Value(index.Insert(vectors.view(), 0)).num_skipped, 3U);
}

TEST(BadVectorsBatchesTest, OneBadRowKeepsAllBatchesOut) {
  IvfPqMemIndex index = MakeIndex(Metric::kL2, {});
  Vectors vectors = RandomVectors(30, kDim, 5);
  vectors.row(25)[2] = kInfinity;
  const VectorBatch batches[] = {{.vectors = vectors.rows(0, 10), .first_row_position = 0},
                                 {.vectors = vectors.rows(10, 10), .first_row_position = 10},
                                 {.vectors = vectors.rows(20, 10), .first_row_position = 20}};
  const auto inserted = index.InsertBatches(batches, 3);
  EXPECT_THAT(inserted, IsInvalid("batch 2: the vector of row 5 (position 25) has NaN"));
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.memory_usage().codes, 0U);
}

TEST(FillValueTest, MustMakeAGoodVector) {
  const IvfPqModel l2 = RandomModel({});
  const IvfPqModel cosine = RandomModel({.metric = Metric::kCosine});
  const auto create = [](const IvfPqModel& model, float fill_value) {
    return IvfPqMemIndex::Create(model,
                                 {.on_bad_vectors = OnBadVectors::kFill, .fill_value = fill_value});
  };
  EXPECT_THAT(create(l2, 0.0F), Succeeds());
  EXPECT_THAT(create(l2, std::nanf("")), IsInvalid("fill_value nan: a vector filled with it has"));
  EXPECT_THAT(create(l2, kInfinity), IsInvalid("has NaN or an infinite element"));
  EXPECT_THAT(create(l2, 0x1p61F), IsInvalid("is too long"));
  EXPECT_THAT(create(cosine, 0.0F), IsInvalid("fill_value 0: a vector filled with it is zero"));
  EXPECT_THAT(create(cosine, -2.0F), Succeeds());
  // Without kFill it is not looked at.
  EXPECT_THAT(IvfPqMemIndex::Create(cosine, {.fill_value = std::nanf("")}), Succeeds());
}

}  // namespace
}  // namespace forebay
