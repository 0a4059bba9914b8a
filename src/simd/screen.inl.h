// The nearest packed rows by way of 16-bit integers, which units multiply and add twice as fast as
// floats. Written once over the type V of dense.inl.h, which has besides:
//   LoadInts(p)                            32-bit lanes; p needs no alignment
//   MultiplyAddPairs(a, b, acc)            acc + the products of both 16-bit halves of each lane
//   ToFloats(v) Min(a, b)
//   StoreWords(p, v)                       rounded to 16-bit integers
//   SelectEqual(v, n, a, b)                a where v is n, elsewhere b
#pragma once

#include "simd/dense.inl.h"
#include "simd/kernels.h"

namespace forebay::simd {
namespace {

/// A row as pairs of 16-bit elements, scaled to kScreenNorm.
struct ScreenedRow {
  std::int32_t pairs[kMaxScreenDim / 2];
  float unit;    // What one unit of an integer score is worth.
  float margin;  // Exact scores are in the same order as screened ones that differ by more.

  template <typename V>
  void Set(const Screen& screen, const float* row, std::size_t dim) {
    const float squared_norm = Dot<V>(row, row, dim);
    const float norm = __builtin_sqrtf(squared_norm);
    const auto scale = V::Set(kScreenNorm / norm);
    auto* words = reinterpret_cast<std::int16_t*>(pairs);
    std::size_t d = 0;
    for (; d + kPackLanes <= dim; d += kPackLanes) {
      V::StoreWords(words + d, V::Mul(V::Load(row + d), scale));
    }
    if (d < dim) {
      V::StoreWords(words + d, V::Mul(V::LoadFirst(dim - d, row + d), scale));
    }
    unit = norm / kScreenNorm * screen.step;
    // Nothing is known of a row so short that squares were lost.
    margin = squared_norm > kMinScreenSquaredNorm ? screen.margin + screen.margin_per_norm * norm
                                                  : __builtin_inff();
  }
};

/// As NearestTile, but it also keeps the second greatest score.
template <typename V, std::size_t kRows, std::size_t kGroups>
struct ScreenTile {
  typename V::Floats best[kRows];
  typename V::Floats second[kRows];
  typename V::Ints best_index[kRows];

  ScreenTile() {
    for (std::size_t r = 0; r < kRows; ++r) {
      best[r] = V::Set(-__builtin_inff());
      second[r] = best[r];
      best_index[r] = V::LaneNumbers();
    }
  }

  template <std::size_t kWidth>
  [[gnu::always_inline]] void Score(const PackedRows& packed, const Screen& screen,
                                    std::size_t group, const ScreenedRow* rows) {
    const std::size_t num_pairs = (packed.dim + 1) / 2;
    const std::size_t group_size = num_pairs * kPackLanes;
    const std::int32_t* column = screen.pairs + group * group_size;
    typename V::Ints sums[kRows][kWidth];
    for (auto& row_sums : sums) {
      for (auto& sum : row_sums) {
        sum = V::SetInts(0);
      }
    }
    for (std::size_t d = 0; d < num_pairs; ++d) {
      typename V::Ints columns[kWidth];
      for (std::size_t g = 0; g < kWidth; ++g) {
        columns[g] = V::LoadInts(column + g * group_size + d * kPackLanes);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const auto x = V::SetInts(rows[r].pairs[d]);
        for (std::size_t g = 0; g < kWidth; ++g) {
          sums[r][g] = V::MultiplyAddPairs(x, columns[g], sums[r][g]);
        }
      }
    }
    for (std::size_t g = 0; g < kWidth; ++g) {
      const auto bias = V::Load(packed.biases + (group + g) * kPackLanes);
      const auto numbers = V::AddInts(V::LaneNumbers(), (group + g) * kPackLanes);
      for (std::size_t r = 0; r < kRows; ++r) {
        const auto scores = V::Fma(V::ToFloats(sums[r][g]), V::Set(rows[r].unit), bias);
        second[r] = V::Max(second[r], V::Min(scores, best[r]));
        V::KeepGreater(scores, numbers, &best[r], &best_index[r]);
      }
    }
  }

  /// Writes where the greatest score is; false when others are too close to it to tell.
  [[nodiscard]] bool Decide(std::size_t r, float margin, std::uint32_t* index) const {
    float score = 0;
    *index = V::ArgMax(best[r], best_index[r], &score);
    return score - V::ReduceMax(V::SelectEqual(best_index[r], *index, second[r], best[r])) > margin;
  }

  /// `exact` finds the nearest to one row.
  template <typename Exact>
  static void Run(const PackedRows& packed, const Screen& screen, const float* rows,
                  std::size_t stride, const Exact& exact, std::uint32_t* indexes) {
    ScreenedRow screened[kRows];
    for (std::size_t r = 0; r < kRows; ++r) {
      screened[r].template Set<V>(screen, rows + r * stride, packed.dim);
    }
    ScreenTile tile;
    const std::size_t num_groups = packed.num_groups();
    std::size_t group = 0;
    for (; group + kGroups <= num_groups; group += kGroups) {
      tile.template Score<kGroups>(packed, screen, group, screened);
    }
    for (; group < num_groups; ++group) {
      tile.template Score<1>(packed, screen, group, screened);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      if (!tile.Decide(r, screened[r].margin, indexes + r)) {
        exact(packed, {rows + r * stride, 1, stride}, indexes + r, nullptr);
      }
    }
  }
};

/// kExact is the level's nearest kernel.
template <typename V, auto kExact, typename... Tiles>
void NearestScreened(const PackedRows& packed, const Screen& screen, const StridedRows& rows,
                     std::uint32_t* indexes) {
  ForEachTile<Tiles...>(0, rows.num_rows, [&](auto tile, std::size_t i) {
    using Shape = decltype(tile);
    ScreenTile<V, Shape::kRows, Shape::kGroups>::Run(packed, screen, rows.data + i * rows.stride,
                                                     rows.stride, kExact, indexes + i);
  });
}

}  // namespace
}  // namespace forebay::simd
