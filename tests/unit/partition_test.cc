// One partition: the five scenarios that the reference holds, then its edges.
#include "index/partition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <numeric>
#include <vector>

#include "support/results.h"
#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::FailsWith;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kCodeLen = 4;

/// Rows whose codes are {10 i, 10 i + 1, 10 i + 2, 10 i + 3} and whose ordinals are 100 i.
struct TestRows {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint32_t> ordinals;

  explicit TestRows(std::initializer_list<std::uint8_t> numbers) {
    for (const std::uint8_t i : numbers) {
      for (unsigned j = 0; j < kCodeLen; ++j) {
        codes.push_back(static_cast<std::uint8_t>(10 * i + j));
      }
      ordinals.push_back(100U * i);
    }
  }

  [[nodiscard]] CodeRows view() const {
    return {codes.data(), ordinals.data(), nullptr, ordinals.size()};
  }
};

/// A partition with its blocks.
struct Owned {
  explicit Owned(std::size_t capacity, std::size_t code_len = kCodeLen, bool has_terms = false)
      : store({capacity, code_len, has_terms}), partition(&store) {}

  BlockStore store;
  Partition partition;
};

TEST(PartitionScenarioTest, PrimaryKeepsCodesColumnMajor) {
  Owned owned(100);
  Partition& partition = owned.partition;
  EXPECT_THAT(partition.TryAppend(TestRows({1, 2, 3}).view()), Succeeds());
  EXPECT_EQ(partition.size(), 3U);
  EXPECT_EQ(partition.remaining_capacity(), 97U);
  EXPECT_THAT(partition.ColumnMajorCodes(0, 3),
              ElementsAre(10, 20, 30, 11, 21, 31, 12, 22, 32, 13, 23, 33));
  EXPECT_THAT(partition.Ordinals(0, 3), ElementsAre(100, 200, 300));
}

TEST(PartitionScenarioTest, FullPrimaryIsUnchanged) {
  Owned owned(2);
  Partition& partition = owned.partition;
  EXPECT_THAT(partition.TryAppend(TestRows({1, 2}).view()), Succeeds());
  EXPECT_THAT(partition.TryAppend(TestRows({3}).view()),
              FailsWith(StatusCode::kCapacityExceeded, "partition full: 0 slots left, 1 needed"));
  EXPECT_EQ(partition.size(), 2U);
  EXPECT_EQ(partition.remaining_capacity(), 0U);
  EXPECT_THAT(partition.RowMajorCodes(0, 2), ElementsAre(10, 11, 12, 13, 20, 21, 22, 23));
  EXPECT_THAT(partition.Ordinals(0, 2), ElementsAre(100, 200));
}

TEST(PartitionScenarioTest, HybridWithRoomHasNoOverflow) {
  Owned owned(100);
  Partition& partition = owned.partition;
  partition.Append(TestRows({1, 2, 3}).view());
  EXPECT_FALSE(partition.has_overflow());
  EXPECT_EQ(partition.size(), 3U);
  EXPECT_THAT(partition.ColumnMajorCodes(0, 3),
              ElementsAre(10, 20, 30, 11, 21, 31, 12, 22, 32, 13, 23, 33));
  EXPECT_THAT(partition.Ordinals(0, 3), ElementsAre(100, 200, 300));
}

TEST(PartitionScenarioTest, HybridSpillsIntoTheOverflow) {
  Owned owned(2);
  Partition& partition = owned.partition;
  partition.Append(TestRows({1, 2, 3, 4}).view());
  EXPECT_TRUE(partition.has_overflow());
  EXPECT_EQ(partition.size(), 4U);
  EXPECT_THAT(partition.ColumnMajorCodes(0, 2), ElementsAre(10, 20, 11, 21, 12, 22, 13, 23));
  EXPECT_THAT(partition.Ordinals(0, 2), ElementsAre(100, 200));
  EXPECT_THAT(partition.RowMajorCodes(2, 4), ElementsAre(30, 31, 32, 33, 40, 41, 42, 43));
  EXPECT_THAT(partition.Ordinals(2, 4), ElementsAre(300, 400));
}

TEST(PartitionScenarioTest, HybridGrowsWhenFull) {
  Owned owned(2);
  Partition& partition = owned.partition;
  partition.Append(TestRows({1, 2}).view());
  EXPECT_FALSE(partition.has_overflow());
  partition.Append(TestRows({3, 4, 5}).view());
  EXPECT_EQ(partition.size(), 5U);
  EXPECT_TRUE(partition.has_overflow());
  EXPECT_EQ(partition.remaining_capacity(), 0U);
  EXPECT_THAT(partition.Ordinals(0, 5), ElementsAre(100, 200, 300, 400, 500));
}

TEST(PartitionTest, IsEmptyAtFirstAndHoldsNoMemory) {
  const Owned owned(100);
  EXPECT_TRUE(owned.partition.empty());
  EXPECT_FALSE(owned.partition.has_overflow());
  EXPECT_EQ(owned.partition.remaining_capacity(), 100U);
  EXPECT_EQ(owned.partition.allocated_rows(), 0U);
  EXPECT_EQ(owned.store.list_bytes(), 0U);
  EXPECT_EQ(owned.store.num_blocks(), 0U);
  EXPECT_EQ(owned.partition.SizeAt(4000000000U), 0U);
  EXPECT_THAT(owned.partition.RowMajorCodes(0, 0), IsEmpty());
  EXPECT_THAT(owned.partition.Ordinals(0, 0), IsEmpty());
}

TEST(PartitionTest, AppendingNothingChangesNothing) {
  Owned owned(2);
  Partition& partition = owned.partition;
  EXPECT_THAT(partition.TryAppend(CodeRows()), Succeeds());
  partition.Append(CodeRows());
  EXPECT_EQ(partition.size(), 0U);
  EXPECT_EQ(partition.allocated_rows(), 0U);
  partition.Append(TestRows({1, 2}).view());
  EXPECT_THAT(partition.TryAppend(CodeRows()), Succeeds());  // Also when it is full,
  partition.Append(TestRows({3}).view());
  EXPECT_THAT(partition.TryAppend(CodeRows()), Succeeds());  // and beyond that.
  EXPECT_EQ(partition.size(), 3U);
}

TEST(PartitionTest, TryAppendTakesAllOrNothing) {
  Owned owned(3);
  Partition& partition = owned.partition;
  EXPECT_THAT(partition.TryAppend(TestRows({1, 2}).view()), Succeeds());
  EXPECT_THAT(partition.TryAppend(TestRows({3, 4}).view()),
              FailsWith(StatusCode::kCapacityExceeded, "partition full: 1 slots left, 2 needed"));
  EXPECT_EQ(partition.remaining_capacity(), 1U);
  EXPECT_THAT(partition.TryAppend(TestRows({3}).view()), Succeeds());
  EXPECT_THAT(partition.Ordinals(0, 3), ElementsAre(100, 200, 300));
}

TEST(PartitionTest, ReserveMakesRoomWithoutShowingIt) {
  Owned owned(64);
  Partition& partition = owned.partition;
  partition.Reserve(65);
  EXPECT_TRUE(partition.empty());
  EXPECT_EQ(partition.allocated_rows(), 128U);
  partition.Append(TestRows({1, 2, 3}).view());
  EXPECT_EQ(partition.allocated_rows(), 128U);
}

/// Random rows with ascending ordinals, kept beside the partition they are appended to.
struct Model {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint32_t> ordinals;
  std::vector<float> terms;

  CodeRows Grow(std::size_t num_rows, std::size_t code_len, Rng* rng) {
    const std::size_t first = ordinals.size();
    for (std::size_t i = 0; i < num_rows; ++i) {
      const std::uint32_t last = ordinals.empty() ? 0 : ordinals.back();
      ordinals.push_back(last + 1 + static_cast<std::uint32_t>(rng->Below(3)));
      terms.push_back(rng->Uniform(-5, 5));
      std::generate_n(std::back_inserter(codes), code_len,
                      [rng] { return static_cast<std::uint8_t>(rng->Next()); });
    }
    return {codes.data() + first * code_len, ordinals.data() + first, terms.data() + first,
            num_rows};
  }
};

/// What a scan sees: codes, ordinals and terms by block, lane and byte.
void ExpectBlocksEqual(const Partition& partition, std::size_t size, const Model& model,
                       std::size_t code_len, bool has_terms) {
  std::size_t row = 0;
  partition.ForEachBlock(size, [&](const BlockRows& block) {
    ASSERT_EQ(block.terms != nullptr, has_terms);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.codes) % 64, 0U);
    ASSERT_EQ(block.num_rows, std::min<std::size_t>(size - row, 64));
    for (std::size_t lane = 0; lane < block.num_rows; ++lane, ++row) {
      ASSERT_EQ(block.ordinals[lane], model.ordinals[row]);
      for (std::size_t j = 0; j < code_len; ++j) {
        ASSERT_EQ(block.codes[j * 64 + lane], model.codes[row * code_len + j])
            << "row " << row << ", byte " << j;
      }
      if (has_terms) {
        ASSERT_EQ(block.terms[lane], model.terms[row]);
      }
    }
  });
  EXPECT_EQ(row, size);
}

TEST(PartitionTest, HoldsThousandsOfRowsAcrossAllEdges) {
  for (const std::size_t capacity : Sizes{1, 63, 64, 65, 100, 1000}) {
    for (const std::size_t code_len : Sizes{1, 3, 16}) {
      const bool has_terms = code_len != 3;
      Rng rng(capacity);
      Owned owned(capacity, code_len, has_terms);
      Model model;
      std::vector<const std::uint8_t*> block_codes;
      while (model.ordinals.size() < 4000) {
        owned.partition.Append(model.Grow(rng.Below(150), code_len, &rng));
        const std::size_t size = model.ordinals.size();
        ASSERT_EQ(owned.partition.size(), size);
        ASSERT_EQ(owned.partition.has_overflow(), size > capacity);
        ASSERT_EQ(owned.partition.remaining_capacity(), size > capacity ? 0 : capacity - size);
        ASSERT_EQ(owned.partition.allocated_rows(), (size + 63) / 64 * 64);
        ASSERT_EQ(owned.store.num_blocks(), (size + 63) / 64);
        // Blocks never move.
        std::size_t b = 0;
        owned.partition.ForEachBlock(size, [&](const BlockRows& block) {
          if (b == block_codes.size()) {
            block_codes.push_back(block.codes);
          }
          ASSERT_EQ(block.codes, block_codes[b++]);
        });
      }
      const std::size_t size = model.ordinals.size();
      ExpectBlocksEqual(owned.partition, size, model, code_len, has_terms);
      ExpectBlocksEqual(owned.partition, capacity, model, code_len, has_terms);
      EXPECT_EQ(owned.partition.RowMajorCodes(0, size), model.codes);
      EXPECT_EQ(owned.partition.Ordinals(0, size), model.ordinals);
      const std::size_t begin = capacity - 1;
      EXPECT_EQ(owned.partition.RowMajorCodes(begin, begin + 300),
                std::vector<std::uint8_t>(
                    model.codes.begin() + static_cast<std::ptrdiff_t>(begin * code_len),
                    model.codes.begin() + static_cast<std::ptrdiff_t>((begin + 300) * code_len)));
    }
  }
}

TEST(PartitionTest, ManyPartitionsShareAStore) {
  // Their blocks come in turns, and in any order; each reads back what it was given.
  constexpr std::size_t kNumPartitions = 7;
  Rng rng(2);
  BlockStore store({64, kCodeLen, true});
  std::deque<Partition> partitions;
  std::vector<Model> models(kNumPartitions);
  for (std::size_t p = 0; p < kNumPartitions; ++p) {
    partitions.emplace_back(&store);
  }
  for (std::size_t i = 0; i < 600; ++i) {
    const std::size_t p = rng.Below(kNumPartitions);
    partitions[p].Append(models[p].Grow(rng.Below(80), kCodeLen, &rng));
  }
  std::size_t num_rows = 0;
  for (std::size_t p = 0; p < kNumPartitions; ++p) {
    ExpectBlocksEqual(partitions[p], models[p].ordinals.size(), models[p], kCodeLen, true);
    num_rows += partitions[p].allocated_rows();
  }
  EXPECT_EQ(store.num_blocks() * 64, num_rows);
}

TEST(PartitionTest, TheListOfBlocksGrowsAfterTheNinth) {
  Rng rng(3);
  Owned owned(64, 1);
  Model model;
  std::size_t bytes = 0;
  std::size_t num_replaced = 0;
  for (std::size_t num_blocks = 1; num_blocks <= 200; ++num_blocks) {
    owned.partition.Append(model.Grow(64, 1, &rng));
    ASSERT_EQ(owned.store.list_bytes() > 0, num_blocks > 9) << num_blocks;
    ASSERT_GE(owned.store.list_bytes(), (std::max<std::size_t>(num_blocks, 9) - 9) * 4);
    num_replaced += owned.store.list_bytes() > bytes ? 1U : 0U;
    bytes = owned.store.list_bytes();
    // A reader that saw fewer rows sees them still, and the first ones of the new block too.
    ExpectBlocksEqual(owned.partition, model.ordinals.size() - rng.Below(64), model, 1, false);
  }
  EXPECT_LE(num_replaced, 8U);  // It grows by a factor,
  EXPECT_LE(bytes, 200U * 16);  // and those that it replaced are less than it.
}

TEST(PartitionTest, RowsThatWereReservedAreNotAllocatedAgain) {
  Rng rng(4);
  Owned owned(64, 1);
  Model model;
  owned.partition.Reserve(2000);
  const std::size_t list_bytes = owned.store.list_bytes();
  EXPECT_EQ(owned.store.num_blocks(), 32U);
  while (model.ordinals.size() + 100 <= 2000) {
    owned.partition.Append(model.Grow(100, 1, &rng));
  }
  EXPECT_EQ(owned.store.num_blocks(), 32U);
  EXPECT_EQ(owned.store.list_bytes(), list_bytes);
  ExpectBlocksEqual(owned.partition, model.ordinals.size(), model, 1, false);
}

TEST(PartitionTest, SizeAtCountsTheOrdinalsBelowASnapshot) {
  Rng rng(1);
  Owned owned(70, 1);
  Model model;
  owned.partition.Append(model.Grow(700, 1, &rng));
  for (std::uint32_t snapshot = 0; snapshot <= model.ordinals.back() + 2; ++snapshot) {
    const auto end = std::lower_bound(model.ordinals.begin(), model.ordinals.end(), snapshot);
    ASSERT_EQ(owned.partition.SizeAt(snapshot),
              static_cast<std::size_t>(end - model.ordinals.begin()))
        << snapshot;
  }
}

}  // namespace
}  // namespace forebay::index
