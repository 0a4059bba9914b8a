// ToPartitionBatches and ToPartitionBatchesReversed: codes as record batches.
#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "unit/arrow_arrays.h"

namespace forebay {
namespace {

using arrow_test::Batch;
using arrow_test::Floats;
using arrow_test::kDim;
using arrow_test::Lists;
using arrow_test::MakeIndex;
using arrow_test::RowsFrom;
using testing::ElementsAre;
using testing::HasSubstr;

/// Rows 0, 1 and 2 (partition 0) at positions 10, 11 and 12; 150 and 151 (partition 1) at 3 and 4.
IvfPqMemIndex IndexOfFive() {
  IvfPqMemIndex index = MakeIndex();
  EXPECT_TRUE(Insert(index, *Batch(Lists(Floats(RowsFrom(0, 3)))), 10).ok());
  EXPECT_TRUE(Insert(index, *Batch(Lists(Floats(RowsFrom(150, 2)))), 3).ok());
  return index;
}

std::vector<std::uint64_t> RowIds(const PartitionBatch& batch) {
  const auto& ids =
      static_cast<const arrow::UInt64Array&>(*batch.second->GetColumnByName("_rowid"));
  return {ids.raw_values(), ids.raw_values() + ids.length()};
}

std::vector<int> CodeBytes(const PartitionBatch& batch) {
  const auto column = batch.second->GetColumnByName("__pq_code");
  const auto& lists = static_cast<const arrow::FixedSizeListArray&>(*column);
  const auto& bytes = static_cast<const arrow::UInt8Array&>(*lists.values());
  return {bytes.raw_values(), bytes.raw_values() + bytes.length()};
}

void ExpectSchema(const arrow::RecordBatch& batch, std::int32_t code_len) {
  const auto expected = arrow::schema(
      {arrow::field("_rowid", arrow::uint64(), false),
       arrow::field("__pq_code",
                    arrow::fixed_size_list(arrow::field("item", arrow::uint8(), false), code_len),
                    false)});
  EXPECT_TRUE(batch.schema()->Equals(*expected, /*check_metadata=*/true))
      << batch.schema()->ToString();
  const arrow::Status valid = batch.ValidateFull();
  EXPECT_TRUE(valid.ok()) << valid.ToString();
  for (const auto& column : batch.columns()) {
    EXPECT_EQ(column->null_count(), 0);
  }
}

TEST(ArrowExportTest, GivesOneBatchForEachPartitionWithRows) {
  const IvfPqMemIndex index = IndexOfFive();
  const auto batches = ToPartitionBatches(index);
  ASSERT_TRUE(batches.ok()) << batches.status().ToString();
  ASSERT_EQ(batches->size(), 2U);  // Partition 2 is empty.
  const PartitionBatch& low = (*batches)[0];
  const PartitionBatch& high = (*batches)[1];
  ExpectSchema(*low.second, 2);
  ExpectSchema(*high.second, 2);
  EXPECT_EQ(low.first, 0U);
  EXPECT_THAT(RowIds(low), ElementsAre(10, 11, 12));
  EXPECT_THAT(CodeBytes(low), ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_EQ(high.first, 1U);
  EXPECT_THAT(RowIds(high), ElementsAre(3, 4));
  EXPECT_THAT(CodeBytes(high), ElementsAre(150, 151, 151, 152));
}

TEST(ArrowExportTest, CountsReversedRowIdsFromTheEnd) {
  const IvfPqMemIndex index = IndexOfFive();
  const auto batches = ToPartitionBatchesReversed(index, 13);
  ASSERT_TRUE(batches.ok()) << batches.status().ToString();
  ASSERT_EQ(batches->size(), 2U);
  ExpectSchema(*(*batches)[0].second, 2);
  EXPECT_THAT(RowIds((*batches)[0]), ElementsAre(2, 1, 0));
  EXPECT_THAT(CodeBytes((*batches)[0]), ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_THAT(RowIds((*batches)[1]), ElementsAre(9, 8));
  EXPECT_THAT(CodeBytes((*batches)[1]), ElementsAre(150, 151, 151, 152));
}

TEST(ArrowExportTest, ReversesTheWholeRangeOfPositions) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  IvfPqMemIndex index = MakeIndex();
  ASSERT_TRUE(Insert(index, *Batch(Lists(Floats(RowsFrom(0, 1)))), kMax - 1).ok());
  ASSERT_TRUE(Insert(index, *Batch(Lists(Floats(RowsFrom(1, 1)))), 0).ok());
  const auto batches = ToPartitionBatchesReversed(index, kMax);
  ASSERT_TRUE(batches.ok()) << batches.status().ToString();
  EXPECT_THAT(RowIds((*batches)[0]), ElementsAre(0, kMax - 1));
}

TEST(ArrowExportTest, RefusesTooFewTotalRows) {
  const IvfPqMemIndex index = IndexOfFive();
  for (const std::uint64_t total_rows : {0U, 12U}) {
    const auto batches = ToPartitionBatchesReversed(index, total_rows);
    ASSERT_FALSE(batches.ok());
    EXPECT_EQ(batches.error().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(batches.error().message(), HasSubstr("below total_rows"));
    EXPECT_THAT(batches.error().message(), HasSubstr("(" + std::to_string(total_rows) + ")"));
  }
}

TEST(ArrowExportTest, GivesNothingForAnEmptyIndex) {
  const IvfPqMemIndex index = MakeIndex();
  const auto batches = ToPartitionBatches(index);
  ASSERT_TRUE(batches.ok());
  EXPECT_TRUE(batches->empty());
  const auto reversed = ToPartitionBatchesReversed(index, 0);
  ASSERT_TRUE(reversed.ok());
  EXPECT_TRUE(reversed->empty());
}

TEST(ArrowExportTest, ShowsOneSnapshotWhileRowsComeIn) {
  // Each insert adds a row to partition 0 and one to partition 1.
  IvfPqMemIndex index = MakeIndex();
  std::vector<float> two_rows = RowsFrom(0, 1);
  const auto far_row = RowsFrom(150, 1);
  two_rows.insert(two_rows.end(), far_row.begin(), far_row.end());
  const auto batch = Batch(Lists(Floats(two_rows)));
  ASSERT_TRUE(Insert(index, *batch, 0).ok());
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (std::uint64_t i = 1; i < 10000; ++i) {
      EXPECT_TRUE(Insert(index, *batch, 2 * i).ok());
    }
    done = true;
  });
  while (!done) {
    const auto batches = ToPartitionBatches(index);
    const bool both = batches.ok() && batches->size() == 2;
    EXPECT_TRUE(both && (*batches)[0].second->num_rows() == (*batches)[1].second->num_rows());
  }
  writer.join();
}

TEST(ArrowExportTest, PacksFourBitCodes) {
  std::vector<float> codebook;
  for (int sub_vector = 0; sub_vector < 4; ++sub_vector) {
    for (int k = 0; k < 16; ++k) {
      codebook.push_back(static_cast<float>(k));
    }
  }
  const std::array<float, kDim> centroid = {};
  auto model = IvfPqModel::Create(Metric::kL2, IvfModel::Create({centroid.data(), 1, kDim}).value(),
                                  ProductQuantizer::Create(kDim, 4, 4, codebook).value(), false);
  IvfPqMemIndex index = IvfPqMemIndex::Create(model.value()).value();
  ASSERT_TRUE(Insert(index, *Batch(Lists(Floats({1, 2, 3, 4, 15, 0, 0, 15}))), 0).ok());
  const auto batches = ToPartitionBatches(index);
  ASSERT_TRUE(batches.ok());
  ExpectSchema(*batches->at(0).second, 2);
  EXPECT_THAT(CodeBytes(batches->at(0)), ElementsAre(0x21, 0x43, 0x0F, 0xF0));
}

}  // namespace
}  // namespace forebay
