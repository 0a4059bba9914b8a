// MemIndexOptions::before_publish: what it is shown, and when.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "forebay/index.h"

namespace forebay {
namespace {

constexpr std::size_t kDim = 4;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

IvfPqModel TwoPartitions() {
  const std::vector<float> centroids = {0, 0, 0, 0, 8, 8, 8, 8};
  std::vector<float> codebook;
  for (int word = 0; word < 2 * 16; ++word) {
    codebook.insert(codebook.end(), {static_cast<float>(word % 4), static_cast<float>(word / 4)});
  }
  auto ivf = IvfModel::Create({centroids.data(), 2, kDim});
  auto pq = ProductQuantizer::Create(kDim, 2, 4, codebook);
  return *IvfPqModel::Create(Metric::kL2, *ivf, *pq, /*residual=*/false);
}

/// Everything that before_publish was shown.
struct Seen {
  std::size_t calls = 0;
  std::vector<std::uint32_t> ordinals;
  std::vector<std::uint64_t> positions;
  std::vector<std::vector<float>> vectors;
  std::size_t visible_rows = 0;  // Of the index, during the last call.
};

class BeforePublish : public testing::Test {
 protected:
  IvfPqMemIndex& Create(OnBadVectors on_bad_vectors) {
    MemIndexOptions options;
    options.on_bad_vectors = on_bad_vectors;
    options.fill_value = 7;
    options.before_publish = [this](const AcceptedRows& rows) { return See(rows); };
    auto created = IvfPqMemIndex::Create(TwoPartitions(), options);
    EXPECT_TRUE(created.ok());
    index_.push_back(*std::move(created));
    return index_.back();
  }

  Status See(const AcceptedRows& rows) {
    ++seen_.calls;
    seen_.visible_rows = index_.back().size();
    if (throw_bad_alloc_) {
      throw std::bad_alloc();
    }
    if (!answer_.ok()) {
      return answer_;
    }
    EXPECT_EQ(rows.dim, kDim);
    EXPECT_EQ(rows.vectors.size(), rows.row_positions.size());
    for (std::size_t i = 0; i < rows.vectors.size(); ++i) {
      seen_.ordinals.push_back(rows.first_ordinal + static_cast<std::uint32_t>(i));
      seen_.positions.push_back(rows.row_positions[i]);
      seen_.vectors.emplace_back(rows.vectors[i], rows.vectors[i] + rows.dim);
    }
    return Status::Ok();
  }

  std::vector<IvfPqMemIndex> index_;
  Seen seen_;
  Status answer_;
  bool throw_bad_alloc_ = false;
};

// Rows 1 and 3 are bad; row 2 is nearer to the second centroid.
const std::vector<float> kRows = {1, 1, 1, 1, kNaN, 0, 0, 0, 9, 9, 9, 9, 0, kNaN, 0, 0, 2, 2, 2, 2};
const VectorView kView = {kRows.data(), 5, kDim};

TEST_F(BeforePublish, SeesAcceptedRowsInOrderBeforeTheyAreVisible) {
  IvfPqMemIndex& index = Create(OnBadVectors::kDrop);
  const std::vector<std::uint64_t> positions = {50, 40, 30, 20, 10};
  VectorBatch batch{.vectors = kView};
  batch.row_positions = positions;
  ASSERT_TRUE(index.Insert(batch).ok());
  EXPECT_EQ(seen_.calls, 1U);
  EXPECT_EQ(seen_.visible_rows, 0U);
  EXPECT_EQ(seen_.ordinals, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(seen_.positions, (std::vector<std::uint64_t>{50, 30, 10}));
  EXPECT_EQ(seen_.vectors,
            (std::vector<std::vector<float>>{{1, 1, 1, 1}, {9, 9, 9, 9}, {2, 2, 2, 2}}));
  for (std::size_t i = 0; i < seen_.ordinals.size(); ++i) {
    EXPECT_EQ(index.row_position(seen_.ordinals[i]), seen_.positions[i]);
  }
}

TEST_F(BeforePublish, SkippedRowsAreNotShownAndOrdinalsGoOn) {
  IvfPqMemIndex& index = Create(OnBadVectors::kDrop);
  ASSERT_TRUE(index.Insert(kView, 0).ok());
  ASSERT_TRUE(index.Insert(kView, 0).ok());  // A replay: nothing to show.
  EXPECT_EQ(seen_.calls, 1U);
  ASSERT_TRUE(index.Insert(kView, 2).ok());  // Positions 2 and 4 are taken, 3 and 5 are bad.
  EXPECT_EQ(seen_.calls, 2U);
  EXPECT_EQ(seen_.visible_rows, 3U);
  EXPECT_EQ(seen_.positions, (std::vector<std::uint64_t>{0, 2, 4, 6}));
  EXPECT_EQ(seen_.ordinals, (std::vector<std::uint32_t>{0, 1, 2, 3}));
}

TEST_F(BeforePublish, FilledRowsAreShownAsFilled) {
  IvfPqMemIndex& index = Create(OnBadVectors::kFill);
  ASSERT_TRUE(index.Insert(kView, 0).ok());
  ASSERT_EQ(seen_.vectors.size(), 5U);
  EXPECT_EQ(seen_.vectors[1], std::vector<float>(kDim, 7));
  EXPECT_EQ(seen_.vectors[3], std::vector<float>(kDim, 7));
}

TEST_F(BeforePublish, ItsFailureFailsTheInsertAndChangesNothing) {
  IvfPqMemIndex& index = Create(OnBadVectors::kDrop);
  answer_ = Status::IoError("the store is full");
  const auto refused = index.Insert(kView, 0);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), StatusCode::kIoError);
  EXPECT_EQ(refused.error().message(), "the store is full");
  answer_ = Status::Ok();
  throw_bad_alloc_ = true;
  const auto out_of_memory = index.Insert(kView, 0);
  ASSERT_FALSE(out_of_memory.ok());
  EXPECT_EQ(out_of_memory.error().code(), StatusCode::kOutOfMemory);
  EXPECT_TRUE(index.empty());
  EXPECT_TRUE(index.partition(0).codes.empty());

  throw_bad_alloc_ = false;
  const auto report = index.Insert(kView, 0);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->num_inserted, 3U);
  EXPECT_EQ(seen_.ordinals, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST_F(BeforePublish, IsNotCalledForAFailedInsert) {
  IvfPqMemIndex& index = Create(OnBadVectors::kError);
  EXPECT_FALSE(index.Insert(kView, 0).ok());
  EXPECT_EQ(seen_.calls, 0U);
}

}  // namespace
}  // namespace forebay
