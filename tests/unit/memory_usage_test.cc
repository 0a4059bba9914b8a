// What memory an index reports, and the capacity that sizes its partitions.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "forebay/index.h"
#include "index/partition.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Value;
using forebay::testing::Vectors;

constexpr std::size_t kDim = 8;

/// A model with 8-bit codes of 4 bytes.
IvfPqMemIndex MakeIndex(std::size_t num_partitions, std::size_t capacity, bool residual = true) {
  return Value(IvfPqMemIndex::Create(
      RandomModel({.residual = residual, .num_bits = 8, .num_partitions = num_partitions}),
      {.capacity = capacity}));
}

TEST(MemoryUsageTest, AnEmptyIndexHasItsPartitionsOnly) {
  const MemoryUsage usage = MakeIndex(10, 100000).memory_usage();
  EXPECT_EQ(usage.codes, 0U);
  EXPECT_EQ(usage.ordinals, 0U);
  EXPECT_EQ(usage.vector_terms, 0U);
  EXPECT_EQ(usage.row_positions, 0U);
  EXPECT_EQ(usage.partitions, 10 * sizeof(index::Partition));
  EXPECT_EQ(usage.total(), usage.partitions);
}

/// Blocks of 64 rows, for `size` rows in one partition.
std::size_t NumBlocks(std::size_t size) { return (size + 63) / 64; }

TEST(MemoryUsageTest, FollowsTheRowsInBlocks) {
  for (const bool residual : {false, true}) {
    IvfPqMemIndex index = MakeIndex(1, 1000, residual);
    const Vectors vectors = RandomVectors(1600, kDim, 1);
    std::size_t num_rows = 0;
    for (const auto& [total, allocated] : {std::pair{1U, 64U},
                                           {64U, 64U},
                                           {65U, 128U},
                                           {1000U, 1024U},
                                           {1024U, 1024U},
                                           {1025U, 1088U},
                                           {1537U, 1600U}}) {
      Value(index.Insert(vectors.rows(num_rows, total - num_rows), num_rows));
      num_rows = total;
      const MemoryUsage usage = index.memory_usage();
      EXPECT_EQ(usage.codes, allocated * 4) << total;
      EXPECT_EQ(usage.ordinals, allocated * sizeof(std::uint32_t)) << total;
      EXPECT_EQ(usage.vector_terms, residual ? allocated * sizeof(float) : 0) << total;
      EXPECT_EQ(usage.total(), usage.codes + usage.ordinals + usage.vector_terms +
                                   usage.row_positions + usage.partitions);
    }
  }
}

TEST(MemoryUsageTest, NoPartitionHasMoreThanOneBlockThatIsNotFull) {
  // Whatever the capacity, and however the rows come.
  for (const std::size_t capacity : {1U, 64U, 1000U}) {
    IvfPqMemIndex index = MakeIndex(20, capacity);
    const Vectors vectors = RandomVectors(9000, kDim, 4);
    for (std::size_t begin = 0, size = 1; begin + size <= 9000; begin += size, size += 7) {
      Value(index.Insert(vectors.rows(begin, size), begin));
      std::size_t num_blocks = 0;
      for (const std::size_t rows : index.partition_sizes()) {
        num_blocks += NumBlocks(rows);
      }
      ASSERT_EQ(index.memory_usage().codes, num_blocks * 64 * 4) << begin;
    }
  }
}

TEST(MemoryUsageTest, PartitionsOfMoreThanNineBlocksHaveAList) {
  IvfPqMemIndex index = MakeIndex(1, 1000);
  const Vectors vectors = RandomVectors(10000, kDim, 5);
  const auto bytes = [&] { return index.memory_usage().partitions - sizeof(index::Partition); };
  Value(index.Insert(vectors.rows(0, 9 * 64), 0));
  EXPECT_EQ(bytes(), 0U);
  Value(index.Insert(vectors.rows(9 * 64, 1), 9 * 64));
  EXPECT_GT(bytes(), 0U);
  EXPECT_LE(bytes(), 128U);
  Value(index.Insert(vectors.rows(600, 9400), 600));
  EXPECT_GE(bytes(), (NumBlocks(9977) - 9) * sizeof(std::uint32_t));
  EXPECT_LE(bytes(), NumBlocks(9977) * 16);  // Next to nothing for each row.
}

TEST(MemoryUsageTest, PartitionsWithoutRowsHaveNoBlocks) {
  IvfPqMemIndex index = MakeIndex(50, 1);
  const Vectors one = RandomVectors(1, kDim, 2);
  Value(index.Insert(one.view(), 0));
  EXPECT_EQ(index.memory_usage().codes, 64U * 4);
}

TEST(MemoryUsageTest, ContiguousPositionsCostAFewBitsEach) {
  IvfPqMemIndex index = MakeIndex(1, 1024);
  const Vectors vectors = RandomVectors(10000, kDim, 3);
  for (std::size_t i = 0; i < 10000; i += 100) {
    Value(index.Insert(vectors.rows(i, 100), i));
  }
  EXPECT_LE(index.memory_usage().row_positions, 10000U);
}

TEST(MemoryUsageTest, ContiguousPositionsGivenOneByOneCostAFewBitsEachToo) {
  IvfPqMemIndex index = MakeIndex(1, 1024);
  const Vectors vectors = RandomVectors(10000, kDim, 3);
  std::vector<std::uint64_t> positions;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    positions.push_back(500 + i);
  }
  Value(index.Insert({.vectors = vectors.view(), .row_positions = positions}));
  EXPECT_LE(index.memory_usage().row_positions, 10000U);
}

TEST(CapacityForMaxRowsTest, IsEightSharesWithinOneAndAll) {
  EXPECT_EQ(CapacityForMaxRows(100000, 1000), 800U);
  EXPECT_EQ(CapacityForMaxRows(100000, 256), 390U * 8);
  EXPECT_EQ(CapacityForMaxRows(1000, 8), 1000U);
  EXPECT_EQ(CapacityForMaxRows(1000, 9), 888U);
  EXPECT_EQ(CapacityForMaxRows(1000, 1), 1000U);  // At most all.
  EXPECT_EQ(CapacityForMaxRows(1000, 1000), 8U);
  EXPECT_EQ(CapacityForMaxRows(1000, 1001), 1U);  // At least one.
  EXPECT_EQ(CapacityForMaxRows(0, 5), 1U);
  EXPECT_EQ(CapacityForMaxRows(5, 5), 5U);
  EXPECT_EQ(CapacityForMaxRows(1000, 0), 1000U);  // As 1.
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  EXPECT_EQ(CapacityForMaxRows(kMost, 1), kMost);
  EXPECT_EQ(CapacityForMaxRows(kMost, 4), kMost);
  EXPECT_EQ(CapacityForMaxRows(kMost, 16), kMost / 16 * 8);
}

}  // namespace
}  // namespace forebay
