// Where the blocks of an index are, and where in a block its parts are.
#include "index/block_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::Sizes;

std::uintptr_t Address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

TEST(BlockLayoutTest, PartsFollowEachOtherInWholeCacheLines) {
  for (const std::size_t code_len : Sizes{1, 2, 3, 16, 25, 256, 1024}) {
    for (const bool has_terms : {false, true}) {
      const BlockLayout layout(100, code_len, has_terms);
      EXPECT_EQ(layout.code_len(), code_len);
      EXPECT_EQ(layout.has_terms(), has_terms);
      EXPECT_EQ(layout.terms_offset(), 64 * code_len);
      EXPECT_EQ(layout.ordinals_offset(), 64 * (code_len + (has_terms ? sizeof(float) : 0)));
      EXPECT_EQ(layout.block_bytes(), layout.ordinals_offset() + 64 * sizeof(std::uint32_t));
      EXPECT_EQ(layout.block_bytes() % 64, 0U);
    }
  }
}

TEST(BlockLayoutTest, TheCapacityIsAtMostThatOfAnIndex) {
  EXPECT_EQ(BlockLayout(1, 1, false).capacity(), 1U);
  EXPECT_EQ(BlockLayout(kMaxCapacity, 1, false).capacity(), kMaxCapacity);
  EXPECT_EQ(BlockLayout(std::numeric_limits<std::size_t>::max(), 1, false).capacity(),
            kMaxCapacity);
}

TEST(BlockStoreTest, BlocksAreNumberedAsTheyCome) {
  BlockStore store({1, 1, false});
  EXPECT_EQ(store.num_blocks(), 0U);
  for (std::uint32_t number = 0; number < 1000; ++number) {
    ASSERT_EQ(store.Allocate(), number);
    ASSERT_EQ(store.num_blocks(), number + 1);
  }
}

TEST(BlockStoreTest, BlocksAreAlignedAndApart) {
  for (const std::size_t code_len : Sizes{1, 3, 16}) {
    const BlockLayout layout(1, code_len, code_len == 3);
    BlockStore store(layout);
    std::vector<std::uintptr_t> addresses;
    for (std::uint32_t number = 0; number < 1000; ++number) {
      addresses.push_back(Address(store.block(store.Allocate())));
      ASSERT_EQ(addresses.back() % 64, 0U) << number;
    }
    std::sort(addresses.begin(), addresses.end());
    for (std::size_t i = 1; i < addresses.size(); ++i) {
      ASSERT_GE(addresses[i] - addresses[i - 1], layout.block_bytes());
    }
  }
}

TEST(BlockStoreTest, BlocksNeverMove) {
  BlockStore store({1, 2, true});
  const std::size_t bytes = store.layout().block_bytes();
  std::vector<const std::uint8_t*> blocks;
  for (std::uint32_t number = 0; number < 2000; ++number) {
    std::uint8_t* const block = store.block(store.Allocate());
    std::fill_n(block, bytes, static_cast<std::uint8_t>(number * 7));
    blocks.push_back(block);
  }
  for (std::uint32_t number = 0; number < 2000; ++number) {
    ASSERT_EQ(std::as_const(store).block(number), blocks[number]);
    ASSERT_EQ(
        std::count(blocks[number], blocks[number] + bytes, static_cast<std::uint8_t>(number * 7)),
        static_cast<std::ptrdiff_t>(bytes))
        << number;
  }
}

}  // namespace
}  // namespace forebay::index
