#include "base/chunked_array.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::Sizes;

TEST(ChunkedArrayTest, HoldsNothingAtFirst) {
  ChunkedArray<std::uint64_t> array;
  EXPECT_EQ(array.allocated_bytes(), 0U);
  array.Reserve(0);
  EXPECT_EQ(array.allocated_bytes(), 0U);
}

TEST(ChunkedArrayTest, ReservesChunksThatDouble) {
  ChunkedArray<std::uint64_t> array;
  // 64, then 128, then 256 elements.
  for (const auto& [size, elements] :
       {std::pair{1U, 64U}, {64U, 64U}, {65U, 192U}, {192U, 192U}, {193U, 448U}, {10U, 448U}}) {
    array.Reserve(size);
    EXPECT_EQ(array.allocated_bytes(), elements * sizeof(std::uint64_t)) << size;
  }
}

TEST(ChunkedArrayTest, ReadsBackWhatWasWrittenAndNeverMoves) {
  ChunkedArray<std::uint64_t> array;
  std::vector<const std::uint64_t*> addresses;
  for (const std::size_t size : Sizes{1, 63, 64, 65, 191, 192, 193, 5000, 100000}) {
    array.Reserve(size);
    for (std::size_t i = addresses.size(); i < size; ++i) {
      array[i] = i * i;
      addresses.push_back(&array[i]);
    }
  }
  const ChunkedArray<std::uint64_t>& read = array;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    ASSERT_EQ(read[i], i * i);
    ASSERT_EQ(&read[i], addresses[i]);
  }
}

}  // namespace
}  // namespace forebay
