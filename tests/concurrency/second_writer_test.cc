// A second writer at the same time is refused, and the refused call changes nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "index/mem_index_impl.h"
#include "simd/dispatch.h"
#include "support/random_models.h"
#include "support/results.h"

namespace forebay::testing {
namespace {

constexpr std::size_t kBatchRows = 20;
constexpr std::size_t kNumBatches = 500;  // Of each writer.

class SecondWriterTest : public ::testing::Test {
  void SetUp() override {
    if (const Status level = simd::CheckActive(); level.code() == StatusCode::kUnsupported) {
      GTEST_SKIP() << level.message();
    }
  }

 protected:
  static ModelSpec Spec() { return {.num_partitions = 4, .num_sub_vectors = 4, .sub_dim = 2}; }

  static std::vector<float> Rows(std::uint64_t seed) {
    Rng random(seed);
    return RandomVectors(Values::kGaussian, kBatchRows, Spec().dim(), &random);
  }
  static VectorBatch Batch(const std::vector<float>& rows, std::uint64_t first_row_position) {
    return {.vectors = {rows.data(), kBatchRows, Spec().dim()},
            .first_row_position = first_row_position};
  }
};

TEST_F(SecondWriterTest, IsRefusedWhileAnotherWrites) {
  IvfPqMemIndex::Impl index(MakeModel(Spec()), {});
  const std::vector<float> rows = Rows(1);
  const VectorBatch first = Batch(rows, 0);
  const VectorBatch second = Batch(rows, 100);
  ASSERT_TRUE(index.Insert({&first, 1}, 1).ok());
  const std::size_t bytes = index.Usage().total();

  index.writer_active.test_and_set();  // As while an Insert runs.
  const auto refused = index.Insert({&second, 1}, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(index.num_visible.LoadAcquire(), kBatchRows);
  EXPECT_EQ(index.Usage().total(), bytes);
  EXPECT_TRUE(index.writer_active.test()) << "the refused call has taken the other's turn";

  index.writer_active.clear();
  const auto taken = index.Insert({&second, 1}, 1);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->first_ordinal, kBatchRows);
  EXPECT_EQ(taken->num_inserted, kBatchRows) << "none of the refused rows was stored";
}

TEST_F(SecondWriterTest, TurnsEndAlsoWithErrors) {
  auto index = Value(IvfPqMemIndex::Create(MakeModel(Spec())));
  const std::vector<float> rows = Rows(1);
  VectorBatch wrong = Batch(rows, 0);
  wrong.vectors.dim = 1;
  EXPECT_EQ(index.Insert(wrong).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(index.Insert(Batch(rows, 0)).ok());
}

/// Writes kNumBatches batches, each again until it is not refused.
void Write(IvfPqMemIndex* index, const std::vector<VectorBatch>& batches, std::latch* start,
           std::atomic<std::size_t>* num_wrong) {
  start->arrive_and_wait();
  for (const VectorBatch& batch : batches) {
    for (;;) {
      const auto report = index->Insert(batch);
      if (report.ok()) {
        *num_wrong += report->num_inserted == kBatchRows ? 0U : 1U;
        break;
      }
      *num_wrong += report.error().code() == StatusCode::kFailedPrecondition ? 0U : 1U;
    }
  }
}

TEST_F(SecondWriterTest, TwoThatRetryWriteEverythingOnce) {
  auto index = Value(IvfPqMemIndex::Create(MakeModel(Spec()), {.capacity = 64}));
  const std::vector<float> rows[] = {Rows(1), Rows(2)};
  std::vector<VectorBatch> batches[2];
  for (std::uint64_t i = 0; i < 2 * kNumBatches; ++i) {
    batches[i % 2].push_back(Batch(rows[i % 2], i * kBatchRows));
  }
  std::latch start(2);
  std::atomic<std::size_t> num_wrong{0};
  {
    std::jthread other([&] { Write(&index, batches[1], &start, &num_wrong); });
    Write(&index, batches[0], &start, &num_wrong);
  }
  EXPECT_EQ(num_wrong, 0U);
  ASSERT_EQ(index.size(), 2 * kNumBatches * kBatchRows);

  // Each position once, and both kinds of rows as often, so each where it belongs.
  std::vector<std::uint64_t> positions;
  for (const PartitionEntries& entries : index.partitions()) {
    positions.insert(positions.end(), entries.row_positions.begin(), entries.row_positions.end());
  }
  std::sort(positions.begin(), positions.end());
  for (std::uint64_t i = 0; i < positions.size(); ++i) {
    ASSERT_EQ(positions[i], i);
  }
  const auto all = index.Search({rows[0].data(), 1, Spec().dim()}, {.k = kNumBatches});
  ASSERT_TRUE(all.ok());
  for (const Hit& hit : (*all)[0]) {
    EXPECT_EQ(hit.distance, (*all)[0][0].distance);
    EXPECT_EQ(hit.row_position % (2 * kBatchRows), (*all)[0][0].row_position);
  }
}

}  // namespace
}  // namespace forebay::testing
