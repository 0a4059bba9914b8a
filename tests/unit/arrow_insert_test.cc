// Insert, InsertArray and InsertBatches: record batches into an index.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "unit/arrow_arrays.h"

namespace forebay {
namespace {

using arrow_test::ArrayPtr;
using arrow_test::Batch;
using arrow_test::BatchPtr;
using arrow_test::Bits;
using arrow_test::Contents;
using arrow_test::ContentsFrom;
using arrow_test::ContentsOf;
using arrow_test::Elements;
using arrow_test::Floats;
using arrow_test::kDim;
using arrow_test::Lists;
using arrow_test::MakeIndex;
using arrow_test::RowsFrom;
using testing::AllOf;
using testing::HasSubstr;

ArrayPtr Rows(std::size_t first, std::size_t count) {
  return Lists(Floats(RowsFrom(first, count)));
}

void ExpectReport(const Result<InsertReport>& report, const InsertReport& expected) {
  const auto counts = [](const InsertReport& r) {
    return std::tuple(r.first_ordinal, r.num_inserted, r.num_skipped, r.num_dropped, r.num_filled);
  };
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(counts(*report), counts(expected));
}

/// An invalid argument whose message has all of `parts`, and an index as it was.
template <typename... Parts>
void ExpectRefused(const Result<InsertReport>& report, const IvfPqMemIndex& index,
                   const Contents& before, const Parts&... parts) {
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), StatusCode::kInvalidArgument) << report.error().ToString();
  EXPECT_THAT(report.error().message(), AllOf(HasSubstr(parts)...));
  EXPECT_EQ(ContentsOf(index), before);
}

TEST(ArrowInsertTest, IndexesTheColumn) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(Insert(index, *Batch(Rows(0, 5)), 1000), {.num_inserted = 5});
  ExpectReport(Insert(index, *Batch(Rows(150, 2)), 7), {.first_ordinal = 5, .num_inserted = 2});
  Contents expected = ContentsFrom(1000, 0, 5);
  expected.merge(ContentsFrom(7, 150, 2));
  EXPECT_EQ(ContentsOf(index), expected);
}

TEST(ArrowInsertTest, TakesTheColumnThatTheOptionsName) {
  IvfPqMemIndex index = MakeIndex({.column_name = "embedding"});
  const ArrayPtr wanted = Rows(10, 3);
  const ArrayPtr other = Rows(20, 3);
  const BatchPtr batch = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("vector", other->type()),
                     arrow::field("embedding", wanted->type(), /*nullable=*/false)}),
      3, {other, wanted});
  ExpectReport(Insert(index, *batch, 0), {.num_inserted = 3});
  EXPECT_EQ(ContentsOf(index), ContentsFrom(0, 10, 3));
}

TEST(ArrowInsertTest, IndexesSlicedBatches) {
  IvfPqMemIndex index = MakeIndex();
  const ArrayPtr elements = Floats(RowsFrom(0, 20))->Slice(2 * kDim);
  ExpectReport(Insert(index, *Batch(Lists(elements))->Slice(3, 4), 0), {.num_inserted = 4});
  EXPECT_EQ(ContentsOf(index), ContentsFrom(0, 5, 4));
}

TEST(ArrowInsertTest, ConvertsFloat16AndFloat64) {
  std::vector<std::uint16_t> halves;
  std::vector<double> doubles;
  for (const float value : RowsFrom(3, 4)) {
    halves.push_back(arrow::util::Float16::FromFloat(value).bits());
    doubles.push_back(static_cast<double>(value));
  }
  for (const ArrayPtr& array :
       {Lists(Elements(arrow::float16(), halves)), Lists(Elements(arrow::float64(), doubles))}) {
    IvfPqMemIndex index = MakeIndex();
    ExpectReport(Insert(index, *Batch(array), 0), {.num_inserted = 4});
    EXPECT_EQ(ContentsOf(index), ContentsFrom(0, 3, 4));
  }
}

TEST(ArrowInsertTest, SkipsBatchesWithoutTheColumn) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(Insert(index, *Batch(Rows(0, 2)), 0), {.num_inserted = 2});
  ExpectReport(Insert(index, *Batch(Rows(0, 5), "embedding"), 2), {.first_ordinal = 2});
  EXPECT_EQ(index.size(), 2U);
}

TEST(ArrowInsertTest, TakesEmptyBatches) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(Insert(index, *Batch(Rows(0, 0)), 0), {});
  ExpectReport(Insert(index, *Batch(Rows(0, 5))->Slice(5), 0), {});
  EXPECT_TRUE(index.empty());
}

TEST(ArrowInsertTest, RefusesOtherColumnTypes) {
  IvfPqMemIndex index = MakeIndex({.column_name = "embedding"});
  const ArrayPtr doubles = Elements<double>(arrow::float64(), {1, 2, 3});
  ExpectRefused(Insert(index, *Batch(doubles, "embedding"), 0), index, {}, "column 'embedding'",
                "expected a fixed_size_list of float16, float32 or float64", "got double");
  const ArrayPtr ints = Lists(Elements<std::int32_t>(arrow::int32(), {1, 2, 3, 4}));
  ExpectRefused(Insert(index, *Batch(ints, "embedding"), 0), index, {}, "column 'embedding'",
                "got fixed_size_list<item: int32>[4]");
}

TEST(ArrowInsertTest, RefusesOtherDimensionsAlsoWithoutRows) {
  IvfPqMemIndex index = MakeIndex();
  const ArrayPtr threes = Lists(Floats({1, 2, 3, 4, 5, 6}), {}, 3);
  for (const ArrayPtr& array : {threes, threes->Slice(0, 0)}) {
    ExpectRefused(Insert(index, *Batch(array), 0), index, {}, "column 'vector'",
                  "expected vectors of dimension 4", "got 3", "fixed_size_list<item: float>[3]");
  }
}

TEST(ArrowInsertTest, RefusesTwoColumnsOfThatName) {
  IvfPqMemIndex index = MakeIndex();
  const ArrayPtr rows = Rows(0, 2);
  const auto field = arrow::field("vector", rows->type());
  const BatchPtr batch = arrow::RecordBatch::Make(arrow::schema({field, field}), 2, {rows, rows});
  ExpectRefused(Insert(index, *batch, 0), index, {}, "expected one column of that name", "got 2");
}

/// Rows 0 to 5. Row 1 is null over ordinary numbers, row 2 null over NaN, row 4 has a null element
/// over an ordinary number.
ArrayPtr RowsWithNulls() {
  std::vector<float> values = RowsFrom(0, 6);
  values[2 * kDim] = std::numeric_limits<float>::quiet_NaN();
  Bits element_valid(6 * kDim, true);
  element_valid[4 * kDim + 3] = false;
  return Lists(Floats(std::move(values), element_valid), {true, false, false, true, true, true});
}

TEST(ArrowInsertTest, RefusesNulls) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(Insert(index, *Batch(Rows(0, 1)), 0), {.num_inserted = 1});
  ExpectRefused(Insert(index, *Batch(RowsWithNulls()), 10), index, ContentsFrom(0, 0, 1), "null");
  // In slices only the element's null, and no null at all.
  ExpectRefused(Insert(index, *Batch(RowsWithNulls()->Slice(3)), 10), index, ContentsFrom(0, 0, 1),
                "null");
  ExpectReport(Insert(index, *Batch(RowsWithNulls()->Slice(3, 1)), 1),
               {.first_ordinal = 1, .num_inserted = 1});
}

TEST(ArrowInsertTest, DropsNulls) {
  IvfPqMemIndex index = MakeIndex({.on_bad_vectors = OnBadVectors::kDrop});
  ExpectReport(Insert(index, *Batch(RowsWithNulls()), 10), {.num_inserted = 3, .num_dropped = 3});
  EXPECT_EQ(ContentsOf(index), (Contents{{10, {0, 1}}, {13, {3, 4}}, {15, {5, 6}}}));
}

TEST(ArrowInsertTest, FillsNulls) {
  IvfPqMemIndex index = MakeIndex({.on_bad_vectors = OnBadVectors::kFill, .fill_value = 77});
  ExpectReport(Insert(index, *Batch(RowsWithNulls()), 10), {.num_inserted = 6, .num_filled = 3});
  Contents expected = ContentsFrom(10, 0, 6);
  expected[11] = expected[12] = expected[14] = {77, 77};
  EXPECT_EQ(ContentsOf(index), expected);
}

TEST(ArrowInsertTest, CallsFloat64BeyondFloat32Bad) {
  const ArrayPtr array =
      Lists(Elements<double>(arrow::float64(), {1, 1, 2, 2, 1e39, 0, 0, 0, 5, 5, 6, 6}));
  IvfPqMemIndex strict = MakeIndex();
  ExpectRefused(Insert(strict, *Batch(array), 0), strict, {}, "1");
  IvfPqMemIndex dropping = MakeIndex({.on_bad_vectors = OnBadVectors::kDrop});
  ExpectReport(Insert(dropping, *Batch(array), 0), {.num_inserted = 2, .num_dropped = 1});
  EXPECT_EQ(ContentsOf(dropping), (Contents{{0, {1, 2}}, {2, {5, 6}}}));
}

TEST(ArrowInsertArrayTest, IndexesTheArray) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(InsertArray(index, *Rows(0, 9)->Slice(4, 3), 20), {.num_inserted = 3});
  EXPECT_EQ(ContentsOf(index), ContentsFrom(20, 4, 3));
  ExpectRefused(InsertArray(index, *Floats({1, 2}), 50), index, ContentsFrom(20, 4, 3),
                "expected a fixed_size_list", "got float");
  ExpectRefused(InsertArray(index, *Lists(Floats({1, 2}), {}, 2), 50), index,
                ContentsFrom(20, 4, 3), "expected vectors of dimension 4", "got 2");
}

TEST(ArrowInsertBatchesTest, IndexesAllInOrder) {
  std::vector<std::uint16_t> halves;
  for (const float value : RowsFrom(20, 2)) {
    halves.push_back(arrow::util::Float16::FromFloat(value).bits());
  }
  const std::vector<StoredBatch> batches = {
      {Batch(Rows(0, 3)), 100},
      {Batch(Rows(50, 3), "embedding"), 200},  // Without the column.
      {Batch(Rows(10, 9))->Slice(1, 2), 50},
      {Batch(Rows(0, 0)), 60},
      {Batch(Lists(Elements(arrow::float16(), halves))), 300},
  };
  Contents expected = ContentsFrom(100, 0, 3);
  expected.merge(ContentsFrom(50, 11, 2));
  expected.merge(ContentsFrom(300, 20, 2));
  for (const std::size_t num_threads : {1U, 3U}) {
    IvfPqMemIndex index = MakeIndex();
    ExpectReport(InsertBatches(index, batches, num_threads), {.num_inserted = 7});
    EXPECT_EQ(ContentsOf(index), expected);
    const std::vector<std::uint64_t> order = {100, 101, 102, 50, 51, 300, 301};
    for (std::uint32_t ordinal = 0; ordinal < 7; ++ordinal) {
      EXPECT_EQ(index.row_position(ordinal), order[ordinal]);
    }
  }
}

TEST(ArrowInsertBatchesTest, TakesNoBatches) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(InsertBatches(index, {}), {});
  const std::vector<StoredBatch> without = {{Batch(Rows(0, 3), "embedding"), 0}};
  ExpectReport(InsertBatches(index, without), {});
  EXPECT_TRUE(index.empty());
}

TEST(ArrowInsertBatchesTest, InsertsNothingWhenTheLastIsBad) {
  IvfPqMemIndex index = MakeIndex();
  ExpectReport(Insert(index, *Batch(Rows(0, 1)), 0), {.num_inserted = 1});
  const Contents before = ContentsFrom(0, 0, 1);
  const auto refuse_last = [&](const BatchPtr& last, const auto&... parts) {
    const std::vector<StoredBatch> batches = {
        {Batch(Rows(1, 3)), 1}, {Batch(Rows(0, 2), "embedding"), 4}, {last, 10}};
    ExpectRefused(InsertBatches(index, batches), index, before, parts...);
  };
  refuse_last(Batch(Elements<double>(arrow::float64(), {1})), "batch 2: column 'vector'",
              "got double");
  refuse_last(Batch(Lists(Floats({1, 2, 3}), {}, 3)), "batch 2: column 'vector'", "got 3");
  refuse_last(Batch(RowsWithNulls()), "null");
  refuse_last(nullptr, "batch 2", "null pointer");
  refuse_last(Batch(Lists(Floats({1, 1, 1, std::numeric_limits<float>::infinity()}))),
              "position 10");
}

TEST(ArrowInsertBatchesTest, RefusesAPositionThatComesTwice) {
  IvfPqMemIndex index = MakeIndex();
  const std::vector<StoredBatch> batches = {{Batch(Rows(0, 3)), 0}, {Batch(Rows(5, 3)), 2}};
  ExpectRefused(InsertBatches(index, batches), index, {}, "2");
}

TEST(ArrowInsertBatchesTest, ReplayChangesNothing) {
  IvfPqMemIndex index = MakeIndex();
  const std::vector<StoredBatch> batches = {{Batch(Rows(0, 3)), 0}, {Batch(Rows(3, 3)), 3}};
  ExpectReport(Insert(index, *batches[0].batch, 0), {.num_inserted = 3});
  ExpectReport(InsertBatches(index, batches),
               {.first_ordinal = 3, .num_inserted = 3, .num_skipped = 3});
  EXPECT_EQ(ContentsOf(index), ContentsFrom(0, 0, 6));
}

}  // namespace
}  // namespace forebay
