// Every level against the norm (scalar), bit for bit, over all shapes that a model can have.
#include <gtest/gtest.h>

#include <cstddef>
#include <iterator>

#include "support/kernel_comparison.h"
#include "support/kernel_test.h"
#include "support/test_data.h"

namespace forebay::testing {
namespace {

class KernelShapesTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Levels, KernelShapesTest, ::testing::ValuesIn(AllLevels()), LevelName);

Floats KindOf(std::size_t i) { return kAllFloats[i % std::size(kAllFloats)]; }

TEST_P(KernelShapesTest, EveryTailOfTheDimension) {
  for (std::size_t dim = 1; dim <= 70; ++dim) {
    for (const std::size_t num_packed : Sizes{1, 16, 37, 150}) {
      const KernelCase c{.dim = dim,
                         .num_packed = num_packed,
                         .num_rows = dim % 17 + 1,
                         .floats = KindOf(dim + num_packed),
                         .seed = dim};
      ASSERT_EQ(DenseKernelThatDiffers(level(), c), "") << c;
    }
  }
}

TEST_P(KernelShapesTest, LargeDimensions) {
  for (const std::size_t dim : Sizes{96, 100, 127, 128, 129, 200, 255, 256, 384, 768, 960, 1000,
                                     1023, 1024, 1025, 1536, 2047, 2048}) {
    const KernelCase c{
        .dim = dim, .num_packed = 40, .num_rows = 15, .floats = KindOf(dim), .seed = dim};
    ASSERT_EQ(DenseKernelThatDiffers(level(), c), "") << c;
  }
}

TEST_P(KernelShapesTest, EveryNumberOfPackedRowsAndOfRows) {
  for (std::size_t n = 1; n <= 280; ++n) {
    const KernelCase c{.dim = n % 5 + 1,
                       .num_packed = n,
                       .num_rows = (n * 7) % 41 + 1,
                       .floats = KindOf(n),
                       .seed = n};
    ASSERT_EQ(DenseKernelThatDiffers(level(), c), "") << c;
  }
}

TEST_P(KernelShapesTest, EveryNumberOfSubVectors) {
  for (const unsigned num_bits : {8U, 4U}) {
    // 256 is the most whose sums cannot saturate, which is where kernels take another turn.
    for (std::size_t m = 1; m <= 260; ++m) {
      const KernelCase c{.num_bits = num_bits,
                         .num_sub_vectors = num_bits == 8 ? m : 2 * m,
                         .num_lanes = (m * 37) % 700 + 1,
                         .terms = m % 2 == 0,
                         .masks = m % 3 == 0,
                         .floats = KindOf(m),
                         .seed = m};
      ASSERT_EQ(CodeKernelThatDiffers(level(), c), "") << c;
    }
  }
}

TEST_P(KernelShapesTest, EveryNumberOfLanes) {
  for (const unsigned num_bits : {8U, 4U}) {
    for (std::size_t num_lanes = 0; num_lanes <= 200; ++num_lanes) {
      for (const bool terms : {false, true}) {
        for (const bool masks : {false, true}) {
          const KernelCase c{.num_bits = num_bits,
                             .num_sub_vectors = num_lanes % 7 * 2 + 2,
                             .num_lanes = num_lanes,
                             .terms = terms,
                             .masks = masks,
                             .seed = num_lanes};
          ASSERT_EQ(CodeKernelThatDiffers(level(), c), "") << c;
        }
      }
    }
  }
}

TEST_P(KernelShapesTest, AnyShape) {
  Rng rng(1);
  for (std::size_t i = 0; i < 150; ++i) {
    const KernelCase c{.dim = rng.Below(300) + 1,
                       .num_packed = rng.Below(300) + 1,
                       .num_rows = rng.Below(40) + 1,
                       .num_bits = rng.Chance(0.5) ? 8U : 4U,
                       .num_sub_vectors = (rng.Below(rng.Chance(0.2) ? 300 : 40) + 1) * 2,
                       .num_lanes = rng.Below(1500),
                       .terms = rng.Chance(0.5),
                       .masks = rng.Chance(0.5),
                       .floats = KindOf(rng.Below(5)),
                       .seed = rng.Next()};
    ASSERT_EQ(KernelThatDiffers(level(), c), "") << c;
  }
}

}  // namespace
}  // namespace forebay::testing
