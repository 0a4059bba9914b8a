// The kernels over floats: every level against the norm (scalar) bit for bit, and the norm against
// the canonical arithmetic written down a second time here.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "model/screen.h"
#include "simd/kernels.h"
#include "support/canonical_arithmetic.h"
#include "support/guarded_array.h"
#include "support/kernel_inputs.h"
#include "support/kernel_test.h"
#include "support/test_data.h"

namespace forebay::simd {
namespace {

using forebay::testing::AllLevels;
using forebay::testing::Bits;
using forebay::testing::ChainDot;
using forebay::testing::ChainL2;
using forebay::testing::Floats;
using forebay::testing::GuardedArray;
using forebay::testing::kAllFloats;
using forebay::testing::KeepLeast;
using forebay::testing::KernelTest;
using forebay::testing::LevelName;
using forebay::testing::Packed;
using forebay::testing::PackedDistances;
using forebay::testing::RandomFloats;
using forebay::testing::Rng;
using forebay::testing::Rows;
using forebay::testing::Sizes;
using forebay::testing::TreeDot;
using forebay::testing::TreeL2;
using forebay::testing::TreeResidualTerm;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array<std::size_t, 12> kDims = {1, 2, 3, 4, 8, 15, 16, 17, 31, 64, 100, 130};
constexpr std::array<std::size_t, 17> kPackedRows = {1,   2,   15,  16,  17,  31,  32,  33, 100,
                                                     127, 128, 129, 144, 255, 256, 257, 300};

struct Answer {
  std::vector<std::uint32_t> indexes;
  std::vector<std::uint32_t> score_bits;

  friend bool operator==(const Answer&, const Answer&) = default;
};

Answer Nearest(const Kernels& kernels, const PackedRows& packed, const StridedRows& rows) {
  GuardedArray<std::uint32_t> indexes(rows.num_rows);
  GuardedArray<float> scores(rows.num_rows);
  kernels.nearest(packed, rows, indexes.data(), scores.data());
  return {indexes.ToVector(), Bits(scores.ToVector())};
}

/// The first greatest of all bias + <row, packed row>, each one chain in the order of dimensions.
Answer NearestByDefinition(const Packed& packed, const StridedRows& rows) {
  const PackedRows view = packed.view();
  Answer answer;
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    std::vector<float> scores;
    for (std::size_t j = 0; j < view.num_rows; ++j) {
      scores.push_back(
          ChainDot(view.biases[j], rows.data + i * rows.stride, packed.row(j), view.dim));
    }
    const auto best = std::max_element(scores.begin(), scores.end());
    answer.indexes.push_back(static_cast<std::uint32_t>(best - scores.begin()));
    answer.score_bits.push_back(Bits(*best == 0.0F ? 0.0F : *best));
  }
  return answer;
}

class DenseKernelsTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Levels, DenseKernelsTest, ::testing::ValuesIn(AllLevels()), LevelName);

TEST_P(DenseKernelsTest, NearestEqualsScalar) {
  Rng rng(1);
  std::size_t num_rows = 0;
  for (const std::size_t dim : kDims) {
    for (const std::size_t num_packed : kPackedRows) {
      for (const Floats kind : kAllFloats) {
        num_rows = num_rows % 20 + 1;
        const std::size_t stride = dim + rng.Below(3) * 5;
        const Packed packed(num_packed, dim, RandomFloats(num_packed * dim, kind, &rng),
                            RandomFloats(num_packed, kind, &rng));
        const Rows rows(num_rows, dim, stride, kind, &rng);
        ASSERT_EQ(Nearest(level(), packed.view(), rows.view()),
                  Nearest(scalar(), packed.view(), rows.view()))
            << num_rows << " rows, " << num_packed << " packed, dim " << dim << ", stride "
            << stride << ", kind " << static_cast<int>(kind);
      }
    }
  }
}

TEST_P(DenseKernelsTest, NearestIsTheFirstGreatestChainOfMultiplyAdds) {
  Rng rng(2);
  for (const std::size_t dim : Sizes{1, 3, 16, 33}) {
    for (const std::size_t num_packed : Sizes{1, 17, 128, 200}) {
      for (const Floats kind : kAllFloats) {
        const Packed packed(num_packed, dim, RandomFloats(num_packed * dim, kind, &rng),
                            RandomFloats(num_packed, kind, &rng));
        const Rows rows(11, dim, dim + 3, kind, &rng);
        ASSERT_EQ(Nearest(level(), packed.view(), rows.view()),
                  NearestByDefinition(packed, rows.view()))
            << num_packed << " packed, dim " << dim << ", kind " << static_cast<int>(kind);
      }
    }
  }
}

TEST_P(DenseKernelsTest, NearestOfManyShortRows) {
  Rng rng(8);
  for (std::size_t dim = 1; dim <= 9; ++dim) {
    for (const std::size_t num_packed : Sizes{1, 15, 16, 17, 40, 256, 300}) {
      for (const Floats kind : kAllFloats) {
        const Packed packed(num_packed, dim, RandomFloats(num_packed * dim, kind, &rng),
                            RandomFloats(num_packed, kind, &rng));
        const Rows rows(60 + rng.Below(100), dim, dim + rng.Below(3) * 5, kind, &rng);
        ASSERT_EQ(Nearest(level(), packed.view(), rows.view()),
                  Nearest(scalar(), packed.view(), rows.view()))
            << rows.view().num_rows << " rows, " << num_packed << " packed, dim " << dim
            << ", kind " << static_cast<int>(kind);
      }
    }
  }
}

TEST_P(DenseKernelsTest, NearestTakesEveryNumberOfRowsAtOnce) {
  Rng rng(3);
  const Packed packed(40, 5, RandomFloats(200, Floats::kSmooth, &rng),
                      RandomFloats(40, Floats::kSmooth, &rng));
  for (std::size_t num_rows = 1; num_rows <= 40; ++num_rows) {
    const Rows rows(num_rows, 5, 5, Floats::kSmooth, &rng);
    ASSERT_EQ(Nearest(level(), packed.view(), rows.view()),
              NearestByDefinition(packed, rows.view()))
        << num_rows;
  }
}

/// Rows and packed rows near one vector: many are about as near as the nearest.
void CompareCloseRows(const Kernels& level, const Kernels& scalar, std::size_t dim, float distance,
                      Rng* rng) {
  constexpr std::size_t kNumPacked = 200;
  const auto center = RandomFloats(dim, Floats::kSmooth, rng);
  std::vector<float> near(kNumPacked * dim);
  std::vector<float> biases(kNumPacked);
  for (std::size_t i = 0; i < near.size(); ++i) {
    near[i] = center[i % dim] + distance * rng->Uniform(-1, 1);
    biases[i / dim] -= near[i] * near[i] / 2;
  }
  const Packed packed(kNumPacked, dim, near, biases);
  const auto screen = model::ScreenedMatrix::Make(packed.rows(), packed.view());
  ASSERT_TRUE(screen);
  for (int i = 0; i < 20; ++i) {
    std::vector<float> rows(33 * dim);
    for (std::size_t j = 0; j < rows.size(); ++j) {
      rows[j] = center[j % dim] + distance * rng->Uniform(-1, 1);
    }
    const GuardedArray<float> data(rows);
    GuardedArray<std::uint32_t> indexes(33);
    level.nearest_screened(packed.view(), screen->view(), {data.data(), 33, dim}, indexes.data());
    ASSERT_EQ(indexes.ToVector(), Nearest(scalar, packed.view(), {data.data(), 33, dim}).indexes)
        << "dim " << dim << ", distance " << distance;
  }
}

TEST_P(DenseKernelsTest, ScreeningFindsTheNearestOfManyThatAreClose) {
  Rng rng(7);
  for (const std::size_t dim : Sizes{1, 2, 5, 16, 47, 100, 257}) {
    for (const float distance : {1.0F, 0.1F, 1e-2F, 1e-3F, 1e-5F}) {
      CompareCloseRows(level(), scalar(), dim, distance, &rng);
    }
  }
}

TEST_P(DenseKernelsTest, NearestNeedsNoScores) {
  Rng rng(4);
  const Packed packed(50, 7, RandomFloats(350, Floats::kSmooth, &rng),
                      RandomFloats(50, Floats::kSmooth, &rng));
  const Rows rows(19, 7, 7, Floats::kSmooth, &rng);
  GuardedArray<std::uint32_t> indexes(19);
  level().nearest(packed.view(), rows.view(), indexes.data(), nullptr);
  EXPECT_EQ(indexes.ToVector(), NearestByDefinition(packed, rows.view()).indexes);
}

TEST_P(DenseKernelsTest, NearestGivesTiesToTheLowestIndex) {
  Rng rng(5);
  constexpr std::size_t kDim = 6;
  for (const std::size_t num_packed : Sizes{2, 16, 40, 300}) {
    // Each packed row is there `copies` times, at random places.
    for (const std::size_t copies : Sizes{2, 7, num_packed}) {
      const std::size_t num_distinct = (num_packed + copies - 1) / copies;
      const auto distinct = RandomFloats(num_distinct * kDim, Floats::kSmooth, &rng);
      std::vector<float> elements;
      for (std::size_t i = 0; i < num_packed; ++i) {
        const auto row =
            distinct.begin() + static_cast<std::ptrdiff_t>(rng.Below(num_distinct) * kDim);
        elements.insert(elements.end(), row, row + kDim);
      }
      const Packed packed(num_packed, kDim, elements, std::vector<float>(num_packed, -1.0F));
      const Rows rows(17, kDim, kDim, Floats::kSmooth, &rng);
      ASSERT_EQ(Nearest(level(), packed.view(), rows.view()),
                NearestByDefinition(packed, rows.view()))
          << num_packed << " packed, " << copies << " of each";
    }
  }
}

TEST_P(DenseKernelsTest, NearestGivesTiesOfBothZerosToTheFirst) {
  for (const std::size_t first : Sizes{0, 3, 20}) {
    for (const std::size_t second : Sizes{1, 9, 18, 37}) {
      for (const float zero : {0.0F, -0.0F}) {
        std::vector<float> biases(40, -1.0F);
        biases[first] = zero;
        biases[second] = -zero;
        const Packed packed(40, 1, std::vector<float>(40, 1.0F), biases);
        const GuardedArray<float> row(std::vector<float>{-0.0F});
        const StridedRows rows{row.data(), 1, 1};
        ASSERT_EQ(Nearest(level(), packed.view(), rows), NearestByDefinition(packed, rows))
            << first << ' ' << second << ' ' << zero;
      }
    }
  }
}

TEST_P(DenseKernelsTest, NearestOfNotANumberIsTheFirst) {
  const Packed packed(33, 2, std::vector<float>(66, 1.0F), std::vector<float>(33, 0.0F));
  const GuardedArray<float> row(std::vector<float>{0.0F, std::nanf("")});
  const Answer answer = Nearest(level(), packed.view(), {row.data(), 1, 2});
  EXPECT_EQ(answer, (Answer{{0}, {Bits(-kInfinity)}}));
}

TEST_P(DenseKernelsTest, PackedDistancesEqualScalar) {
  Rng rng(6);
  std::size_t num_rows = 0;
  for (const std::size_t dim : kDims) {
    for (const std::size_t num_packed : kPackedRows) {
      for (const Floats kind : kAllFloats) {
        num_rows = num_rows % 11 + 1;
        const Packed packed(num_packed, dim, RandomFloats(num_packed * dim, kind, &rng),
                            std::vector<float>(num_packed));
        const Rows rows(num_rows, dim, dim + rng.Below(3) * 5, kind, &rng);
        for (const auto kernel : {&Kernels::packed_l2, &Kernels::packed_dot}) {
          ASSERT_EQ(PackedDistances(level().*kernel, packed.view(), rows.view()),
                    PackedDistances(scalar().*kernel, packed.view(), rows.view()))
              << num_rows << " rows, " << num_packed << " packed, dim " << dim << ", kind "
              << static_cast<int>(kind);
        }
      }
    }
  }
}

TEST_P(DenseKernelsTest, PackedDistancesAreChainsOfMultiplyAdds) {
  Rng rng(7);
  constexpr std::size_t kDim = 19;
  for (const std::size_t num_packed : Sizes{1, 16, 37, 150}) {
    const Packed packed(num_packed, kDim, RandomFloats(num_packed * kDim, Floats::kWild, &rng),
                        std::vector<float>(num_packed));
    const std::size_t padded = packed.view().num_groups() * kPackLanes;
    for (std::size_t num_rows = 1; num_rows <= 20; ++num_rows) {
      const Rows guarded(num_rows, kDim, kDim + num_rows % 4, Floats::kWild, &rng);
      const StridedRows rows = guarded.view();
      const auto l2 = PackedDistances(level().packed_l2, packed.view(), rows);
      const auto dot = PackedDistances(level().packed_dot, packed.view(), rows);
      for (std::size_t i = 0; i < num_rows * num_packed; ++i) {
        const float* x = rows.data + i / num_packed * rows.stride;
        const float* y = packed.row(i % num_packed);
        const std::size_t at = i / num_packed * padded + i % num_packed;
        ASSERT_EQ(l2[at], Bits(ChainL2(x, y, kDim))) << num_rows << ' ' << num_packed << ' ' << i;
        ASSERT_EQ(dot[at], Bits(ChainDot(0, x, y, kDim))) << num_rows << ' ' << num_packed;
      }
    }
  }
}

TEST_P(DenseKernelsTest, PairKernelsEqualScalarAndTheDefinition) {
  Rng rng(8);
  for (std::size_t n = 0; n <= 70; ++n) {
    for (const Floats kind : kAllFloats) {
      const GuardedArray<float> a(RandomFloats(n, kind, &rng));
      const GuardedArray<float> b(RandomFloats(n, kind, &rng));
      const float* x = a.data();
      const float* y = b.data();
      const float l2 = TreeL2(x, y, n);
      const float dot = TreeDot(x, y, n);
      const float term = TreeResidualTerm(x, y, n);
      for (const Kernels* kernels : {&scalar(), &level()}) {
        ASSERT_EQ(Bits(kernels->l2(x, y, n)), Bits(l2)) << n << ' ' << static_cast<int>(kind);
        ASSERT_EQ(Bits(kernels->dot(x, y, n)), Bits(dot)) << n << ' ' << static_cast<int>(kind);
        ASSERT_EQ(Bits(kernels->residual_term(x, y, n)), Bits(term))
            << n << ' ' << static_cast<int>(kind);
      }
    }
  }
}

TEST_P(DenseKernelsTest, MinMaxEqualsScalarAndTheDefinition) {
  Rng rng(8);
  for (const Floats kind : kAllFloats) {
    for (std::size_t n = 16; n <= 320; n += 16) {
      const GuardedArray<float> values(RandomFloats(n, kind, &rng));
      const auto [low, high] = std::minmax_element(values.data(), values.data() + n);
      for (const Kernels* kernels : {&scalar(), &level()}) {
        float min = 0;
        float max = 0;
        kernels->min_max(values.data(), n, &min, &max);
        ASSERT_EQ(Bits(std::vector{min, max}), Bits(std::vector{*low + 0.0F, *high + 0.0F}))
            << kernels->name << ' ' << n;
      }
    }
  }
}

TEST_P(DenseKernelsTest, QuantizeEqualsScalarAndTheDefinition) {
  Rng rng(9);
  for (std::size_t n = 16; n <= 320; n += 16) {
    const float min = rng.Uniform(-100, 100);
    const float steps = rng.Uniform(0.01F, 3);
    std::vector<float> values(n);
    std::vector<std::uint8_t> expected(n);
    const float most = rng.Chance(0.5) ? 127.0F : 255.0F;
    for (std::size_t i = 0; i < n; ++i) {
      values[i] = min + rng.Uniform(0, 300) / steps;
      expected[i] =
          static_cast<std::uint8_t>(std::min(std::trunc((values[i] - min) * steps), most));
    }
    const GuardedArray<float> guarded(values);
    for (const Kernels* kernels : {&scalar(), &level()}) {
      GuardedArray<std::uint8_t> bytes(n);
      kernels->quantize(guarded.data(), n, min, steps, most, bytes.data());
      ASSERT_EQ(bytes.ToVector(), expected) << kernels->name << ' ' << n;
    }
  }
}

TEST_P(DenseKernelsTest, KeepLeastKeepsTheOrder) {
  Rng rng(10);
  for (std::size_t n = 0; n <= 40; ++n) {
    // Keys that differ in their lowest bits, often equal, and in all.
    for (const unsigned num_bits : {1U, 3U, 64U}) {
      std::vector<std::uint64_t> keys(n);
      std::generate(keys.begin(), keys.end(), [&] { return rng.Next() >> (64 - num_bits); });
      std::vector<std::uint64_t> lasts = keys;
      lasts.insert(lasts.end(), {0, 1, std::uint64_t{1} << 63U, ~std::uint64_t{0}});
      for (const std::uint64_t last : lasts) {
        std::vector<std::uint64_t> expected;
        std::copy_if(keys.begin(), keys.end(), std::back_inserter(expected),
                     [last](std::uint64_t key) { return key <= last; });
        for (const bool in_place : {false, true}) {
          ASSERT_EQ(KeepLeast(level(), keys, last, in_place), expected)
              << n << " keys, last " << last << ", in place " << in_place;
          ASSERT_EQ(KeepLeast(scalar(), keys, last, in_place), expected) << n;
        }
      }
    }
  }
}

TEST_P(DenseKernelsTest, LanesWithoutElementsKeepTheirSum) {
  // All products underflow to -0, which adding the +0 of an absent element would turn into +0.
  const std::vector<float> x(50, 0x1p-80F);
  const std::vector<float> y(50, -0x1p-80F);
  for (std::size_t n = 0; n <= 50; ++n) {
    EXPECT_EQ(Bits(level().dot(x.data(), y.data(), n)), Bits(TreeDot(x.data(), y.data(), n))) << n;
  }
}

TEST_P(DenseKernelsTest, PairKernelsTakeUnalignedVectors) {
  Rng rng(9);
  const auto floats = RandomFloats(400, Floats::kSmooth, &rng);
  for (std::size_t offset = 0; offset < 16; ++offset) {
    const float* x = floats.data() + offset;
    const float* y = floats.data() + 200 - offset;
    ASSERT_EQ(Bits(level().l2(x, y, 100)), Bits(scalar().l2(x, y, 100)));
    ASSERT_EQ(Bits(level().dot(x, y, 100)), Bits(scalar().dot(x, y, 100)));
    ASSERT_EQ(Bits(level().residual_term(x, y, 100)), Bits(scalar().residual_term(x, y, 100)));
  }
}

}  // namespace
}  // namespace forebay::simd
