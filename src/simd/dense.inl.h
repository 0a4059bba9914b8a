// The dense kernels of every vectorised level, written once over a type V of 16 float lanes. A
// level's file defines V in its anonymous namespace and includes this. V has:
//   Floats, Ints                           16 lanes each
//   Zero() Set(x) Load(p) Store(p, v)      p needs no alignment
//   Sub Mul Max Fma(a, b, acc)             Fma is a x b + acc, rounded once
//   ReduceMax(v) StoreBytes(p, v)          the latter cuts 0 .. 255 to whole numbers
//   FmaFirst(n, a, b, acc)                 the first n lanes; the others keep acc
//   LoadFirst(n, p)                        reads n floats; the other lanes are 0
//   LaneNumbers() AddInts(v, n) KeepGreater(scores, indexes, best_scores, best_indexes)
//   ArgMax(scores, indexes, &score)        greatest score, lowest index on ties
//   FirstEqual(a, b)                       the first lane in which they are equal; 0: there is none
//   SetInts(x) StoreInts(p, v)             32-bit lanes
//   kShortVectors                          registers of rows that share a value in ShortRowsTile
//   ReduceTree(v)                          lane i with i + 8, then + 4, + 2, + 1
#pragma once

#include "simd/kernels.h"
#include "simd/unroll.inl.h"

namespace forebay::simd {
namespace {

/// Scores kRows rows against kGroups groups at a time: kRows x kGroups independent chains of
/// multiply-adds keep the units busy, and each loaded column serves kRows rows.
template <typename V, std::size_t kRows, std::size_t kGroups>
struct NearestTile {
  typename V::Floats best[kRows];
  typename V::Ints best_index[kRows];

  NearestTile() {
    for (std::size_t r = 0; r < kRows; ++r) {
      best[r] = V::Set(-__builtin_inff());
      best_index[r] = V::LaneNumbers();
    }
  }

  /// Inlined, so that `best` stays in registers: packed rows may be few, and short.
  template <std::size_t kWidth>
  [[gnu::always_inline]] void Score(const PackedRows& packed, std::size_t group, const float* rows,
                                    std::size_t stride) {
    const std::size_t group_size = packed.dim * kPackLanes;
    const float* column = packed.data + group * group_size;
    typename V::Floats sums[kRows][kWidth];
    for (std::size_t g = 0; g < kWidth; ++g) {
      const auto bias = V::Load(packed.biases + (group + g) * kPackLanes);
      for (std::size_t r = 0; r < kRows; ++r) {
        sums[r][g] = bias;
      }
    }
    for (std::size_t d = 0; d < packed.dim; ++d) {
      typename V::Floats columns[kWidth];
      for (std::size_t g = 0; g < kWidth; ++g) {
        columns[g] = V::Load(column + g * group_size + d * kPackLanes);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const auto x = V::Set(rows[r * stride + d]);
        for (std::size_t g = 0; g < kWidth; ++g) {
          sums[r][g] = V::Fma(x, columns[g], sums[r][g]);
        }
      }
    }
    for (std::size_t g = 0; g < kWidth; ++g) {
      const auto numbers = V::AddInts(V::LaneNumbers(), (group + g) * kPackLanes);
      for (std::size_t r = 0; r < kRows; ++r) {
        V::KeepGreater(sums[r][g], numbers, &best[r], &best_index[r]);
      }
    }
  }

  static void Run(const PackedRows& packed, const float* rows, std::size_t stride,
                  std::uint32_t* indexes, float* scores) {
    NearestTile tile;
    const std::size_t num_groups = packed.num_groups();
    std::size_t group = 0;
    for (; group + kGroups <= num_groups; group += kGroups) {
      tile.template Score<kGroups>(packed, group, rows, stride);
    }
    for (; group < num_groups; ++group) {
      tile.template Score<1>(packed, group, rows, stride);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      float score = 0;
      indexes[r] = V::ArgMax(tile.best[r], tile.best_index[r], &score);
      if (scores != nullptr) {
        scores[r] = score + 0.0F;  // Both zeros become +0.
      }
    }
  }
};

/// For rows so short that choosing among scores costs as much as making them: here lanes are rows,
/// so that a group's 16 scores of a row are cut to the greatest by one operation each. Which one
/// that was is asked once, of the best group, where lanes are packed rows again.
template <typename V, std::size_t kDim, std::size_t kVectors>
struct ShortRowsTile {
  static constexpr std::size_t kRows = kVectors * kPackLanes;

  typename V::Floats x[kDim][kVectors];
  typename V::Floats best[kVectors];
  typename V::Ints best_group[kVectors];

  ShortRowsTile(const float* rows, std::size_t stride) {
    float columns[kDim][kRows];
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t d = 0; d < kDim; ++d) {
        columns[d][r] = rows[r * stride + d];
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      for (std::size_t d = 0; d < kDim; ++d) {
        x[d][v] = V::Load(columns[d] + v * kPackLanes);
      }
      best[v] = V::Set(-__builtin_inff());
      best_group[v] = V::SetInts(0);
    }
  }

  [[gnu::always_inline]] void Score(const PackedRows& packed, std::size_t group) {
    const float* data = packed.data + group * kDim * kPackLanes;
    const float* biases = packed.biases + group * kPackLanes;
    typename V::Floats greatest[kVectors];
    for (auto& g : greatest) {
      g = V::Set(-__builtin_inff());
    }
    for (std::size_t lane = 0; lane < kPackLanes; ++lane) {
      for (std::size_t v = 0; v < kVectors; ++v) {
        auto sum = V::Set(biases[lane]);
        for (std::size_t d = 0; d < kDim; ++d) {
          sum = V::Fma(x[d][v], V::Set(data[d * kPackLanes + lane]), sum);
        }
        greatest[v] = V::Max(sum, greatest[v]);
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      V::KeepGreater(greatest[v], V::SetInts(static_cast<std::int32_t>(group)), &best[v],
                     &best_group[v]);
    }
  }

  /// The place of `score` among the packed rows of a group.
  static std::uint32_t Find(const PackedRows& packed, std::size_t group, const float* row,
                            float score) {
    const float* data = packed.data + group * kDim * kPackLanes;
    auto sums = V::Load(packed.biases + group * kPackLanes);
    for (std::size_t d = 0; d < kDim; ++d) {
      sums = V::Fma(V::Set(row[d]), V::Load(data + d * kPackLanes), sums);
    }
    return V::FirstEqual(sums, V::Set(score));
  }

  static void Run(const PackedRows& packed, const float* rows, std::size_t stride,
                  std::uint32_t* indexes, float* scores) {
    ShortRowsTile tile(rows, stride);
    for (std::size_t group = 0; group < packed.num_groups(); ++group) {
      tile.Score(packed, group);
    }
    float best_scores[kRows];
    std::int32_t best_groups[kRows];
    for (std::size_t v = 0; v < kVectors; ++v) {
      V::Store(best_scores + v * kPackLanes, tile.best[v]);
      V::StoreInts(best_groups + v * kPackLanes, tile.best_group[v]);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto group = static_cast<std::size_t>(best_groups[r]);
      const std::size_t lane = Find(packed, group, rows + r * stride, best_scores[r]);
      indexes[r] = static_cast<std::uint32_t>(group * kPackLanes + lane);
      if (scores != nullptr) {
        scores[r] = best_scores[r] + 0.0F;  // Both zeros become +0.
      }
    }
  }
};

/// A shape of NearestTile.
template <std::size_t kTileRows, std::size_t kTileGroups>
struct Tile {
  static constexpr std::size_t kRows = kTileRows;
  static constexpr std::size_t kGroups = kTileGroups;
};

/// Calls run(Shape, row) for tiles of the rows from `row` on. Rows are taken by the first tile that
/// still has enough of them, so Tiles go from many rows to one. Each is as large as the level's
/// registers allow.
template <typename... Tiles, typename Run>
void ForEachTile(std::size_t row, std::size_t num_rows, const Run& run) {
  const auto run_all = [&](auto tile) {
    using Shape = decltype(tile);
    for (; row + Shape::kRows <= num_rows; row += Shape::kRows) {
      run(tile, row);
    }
  };
  (run_all(Tiles()), ...);
}

template <typename V, typename... Tiles>
void Nearest(const PackedRows& packed, const StridedRows& rows, std::uint32_t* indexes,
             float* scores) {
  std::size_t i = 0;
  const auto run_short = [&]<std::size_t kDim>(Constant<kDim>) {
    using Short = ShortRowsTile<V, kDim, V::kShortVectors>;
    for (; i + Short::kRows <= rows.num_rows; i += Short::kRows) {
      Short::Run(packed, rows.data + i * rows.stride, rows.stride, indexes + i,
                 scores != nullptr ? scores + i : nullptr);
    }
  };
  switch (packed.dim) {
    case 2:
      run_short(Constant<2>());
      break;
    case 4:
      run_short(Constant<4>());
      break;
    case 8:
      run_short(Constant<8>());
      break;
    default:
      break;
  }
  ForEachTile<Tiles...>(i, rows.num_rows, [&](auto tile, std::size_t first) {
    using Shape = decltype(tile);
    NearestTile<V, Shape::kRows, Shape::kGroups>::Run(packed, rows.data + first * rows.stride,
                                                      rows.stride, indexes + first,
                                                      scores != nullptr ? scores + first : nullptr);
  });
}

/// kRows rows against kGroups groups. `out` is that of the first row and the first group.
template <typename V, std::size_t kRows, std::size_t kGroups, bool kL2>
void PackedTile(const PackedRows& packed, std::size_t group, const StridedRows& rows, float* out) {
  const std::size_t group_size = packed.dim * kPackLanes;
  const float* column = packed.data + group * group_size;
  typename V::Floats sums[kRows][kGroups];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t g = 0; g < kGroups; ++g) {
      sums[r][g] = V::Zero();
    }
  }
  for (std::size_t d = 0; d < packed.dim; ++d) {
    typename V::Floats columns[kGroups];
    for (std::size_t g = 0; g < kGroups; ++g) {
      columns[g] = V::Load(column + g * group_size + d * kPackLanes);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto x = V::Set(rows.data[r * rows.stride + d]);
      for (std::size_t g = 0; g < kGroups; ++g) {
        if constexpr (kL2) {
          const auto difference = V::Sub(x, columns[g]);
          sums[r][g] = V::Fma(difference, difference, sums[r][g]);
        } else {
          sums[r][g] = V::Fma(x, columns[g], sums[r][g]);
        }
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t g = 0; g < kGroups; ++g) {
      V::Store(out + (r * packed.num_groups() + g) * kPackLanes, sums[r][g]);
    }
  }
}

template <typename V, bool kL2, typename... Tiles>
void PackedDistances(const PackedRows& packed, const StridedRows& rows, float* out) {
  const std::size_t num_groups = packed.num_groups();
  ForEachTile<Tiles...>(0, rows.num_rows, [&](auto tile, std::size_t i) {
    using Shape = decltype(tile);
    const StridedRows here{rows.data + i * rows.stride, Shape::kRows, rows.stride};
    float* to = out + i * num_groups * kPackLanes;
    std::size_t group = 0;
    for (; group + Shape::kGroups <= num_groups; group += Shape::kGroups) {
      PackedTile<V, Shape::kRows, Shape::kGroups, kL2>(packed, group, here, to);
      to += Shape::kGroups * kPackLanes;
    }
    for (; group < num_groups; ++group, to += kPackLanes) {
      PackedTile<V, Shape::kRows, 1, kL2>(packed, group, here, to);
    }
  });
}

/// 16 partial sums over pairs of elements, then the tree. `terms(x, y, &f, &g)` gives the two
/// factors whose product is added.
template <typename V, typename Terms>
float PairSum(const float* a, const float* b, std::size_t n, const Terms& terms) {
  typename V::Floats sums = V::Zero();
  typename V::Floats f;
  typename V::Floats g;
  std::size_t i = 0;
  for (; i + kPackLanes <= n; i += kPackLanes) {
    terms(V::Load(a + i), V::Load(b + i), &f, &g);
    sums = V::Fma(f, g, sums);
  }
  if (i < n) {
    terms(V::LoadFirst(n - i, a + i), V::LoadFirst(n - i, b + i), &f, &g);
    sums = V::FmaFirst(n - i, f, g, sums);
  }
  return V::ReduceTree(sums);
}

template <typename V>
float L2(const float* a, const float* b, std::size_t n) {
  return PairSum<V>(a, b, n, [](const auto& x, const auto& y, auto* f, auto* g) {
    *f = V::Sub(x, y);
    *g = *f;
  });
}

template <typename V>
float Dot(const float* a, const float* b, std::size_t n) {
  return PairSum<V>(a, b, n, [](const auto& x, const auto& y, auto* f, auto* g) {
    *f = x;
    *g = y;
  });
}

template <typename V>
float ResidualTerm(const float* r, const float* c, std::size_t n) {
  return PairSum<V>(r, c, n, [](const auto& x, const auto& y, auto* f, auto* g) {
    *f = x;
    *g = V::Fma(V::Set(2.0F), y, x);
  });
}

template <typename V>
void MinMax(const float* values, std::size_t n, float* min, float* max) {
  auto greatest = V::Load(values);
  auto least = V::Sub(V::Zero(), greatest);  // Negated.
  for (std::size_t i = kPackLanes; i < n; i += kPackLanes) {
    const auto v = V::Load(values + i);
    greatest = V::Max(greatest, v);
    least = V::Max(least, V::Sub(V::Zero(), v));
  }
  *min = 0.0F - V::ReduceMax(least);  // Both zeros become +0.
  *max = 0.0F + V::ReduceMax(greatest);
}

template <typename V>
void Quantize(const float* values, std::size_t n, float min, float steps, float most,
              std::uint8_t* out) {
  for (std::size_t i = 0; i < n; i += kPackLanes) {
    const auto scaled = V::Mul(V::Sub(V::Load(values + i), V::Set(min)), V::Set(steps));
    V::StoreBytes(out + i, V::Min(scaled, V::Set(most)));
  }
}

}  // namespace
}  // namespace forebay::simd
