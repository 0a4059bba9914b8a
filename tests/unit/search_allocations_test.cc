// A warm search allocates what it returns, and nothing else.
//
// This file replaces operator new of the whole test program by one that counts.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <tuple>
#include <utility>

#include "forebay/index.h"
#include "support/sanitizers.h"
#include "support/small_index.h"
#include "support/test_data.h"

namespace {

thread_local std::size_t num_allocations = 0;

}  // namespace

// Sanitizers have their own, which find more than this one counts.
#if FOREBAY_TEST_ASAN == 0 && FOREBAY_TEST_TSAN == 0
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++num_allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size); memory != nullptr) {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
#endif

namespace forebay {
namespace {

using forebay::testing::SmallIndex;

/// Vectors that hold something are one allocation each.
std::size_t AllocationsOf(const SearchResult& result) {
  std::size_t count = (result.hits.empty() ? 0U : 1U) + (result.stats.empty() ? 0U : 1U);
  for (std::size_t i = 0; i < result.size(); ++i) {
    count += result.hits[i].empty() ? 0U : 1U;
    count += result.stats[i].probed_partitions.empty() ? 0U : 1U;
  }
  return count;
}

/// Of 4 or 8 bits, with so many queries, re-ranked or not.
class SearchAllocationsTest
    : public ::testing::TestWithParam<std::tuple<unsigned, std::size_t, std::size_t>> {};

TEST_P(SearchAllocationsTest, AreOfTheResultOnly) {
  if (testing::kSanitized) {
    GTEST_SKIP() << "the sanitizer's own operator new does not count";
  }
  const auto [num_bits, num_queries, refine_factor] = GetParam();
  const SmallIndex small({.num_bits = num_bits, .num_rows = 20'000, .num_partitions = 64});
  const VectorView queries = small.vectors.rows(100, num_queries);
  SearchOptions options{.k = 10, .nprobes = 8, .refine_factor = refine_factor};
  const RawVectorLookup raw_vectors = small.raw_vectors();
  if (refine_factor > 0) {
    options.raw_vectors = raw_vectors;
  }
  const auto search = [&] {
    const std::size_t before = num_allocations;
    const auto result = small.index.Search(queries, options);
    const std::size_t count = num_allocations - before;
    EXPECT_TRUE(result.ok());
    return std::pair(count, AllocationsOf(*result));
  };
  for (int warming = 0; warming < 3; ++warming) {
    search();
  }
  const auto [allocated, returned] = search();
  EXPECT_GE(returned, 2 + num_queries);
  EXPECT_EQ(allocated, returned);
}

INSTANTIATE_TEST_SUITE_P(All, SearchAllocationsTest,
                         ::testing::Combine(::testing::Values(4U, 8U),
                                            ::testing::Values(std::size_t{1}, std::size_t{300}),
                                            ::testing::Values(std::size_t{0}, std::size_t{10})),
                         [](const auto& tested) {
                           return std::to_string(std::get<0>(tested.param)) + "Bits" +
                                  std::to_string(std::get<1>(tested.param)) + "QueriesRefined" +
                                  std::to_string(std::get<2>(tested.param));
                         });

}  // namespace
}  // namespace forebay
