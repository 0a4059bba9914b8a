// The norm: what every other level must equal, bit for bit. Written to be read.
#include <cmath>

#include "simd/adc.inl.h"
#include "simd/kernels.h"
#include "simd/select.inl.h"

namespace forebay::simd {

extern const Kernels kScalarKernels;

namespace {

constexpr float kSaturation = 65535.0F;

struct Lanes {
  float at[kPackLanes];
};

/// bias + <x, packed row> for the 16 rows of a group.
Lanes GroupScores(const PackedRows& packed, std::size_t group, const float* x) {
  const float* column = packed.data + group * packed.dim * kPackLanes;
  Lanes scores;
  for (std::size_t lane = 0; lane < kPackLanes; ++lane) {
    scores.at[lane] = packed.biases[group * kPackLanes + lane];
  }
  for (std::size_t d = 0; d < packed.dim; ++d, column += kPackLanes) {
    for (std::size_t lane = 0; lane < kPackLanes; ++lane) {
      scores.at[lane] = std::fma(x[d], column[lane], scores.at[lane]);
    }
  }
  return scores;
}

void Nearest(const PackedRows& packed, const StridedRows& rows, std::uint32_t* indexes,
             float* scores) {
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    std::uint32_t best = 0;
    float best_score = -INFINITY;
    for (std::size_t group = 0; group < packed.num_groups(); ++group) {
      const Lanes scores_here = GroupScores(packed, group, rows.data + i * rows.stride);
      for (std::size_t lane = 0; lane < kPackLanes; ++lane) {
        if (scores_here.at[lane] > best_score) {
          best_score = scores_here.at[lane];
          best = static_cast<std::uint32_t>(group * kPackLanes + lane);
        }
      }
    }
    indexes[i] = best;
    if (scores != nullptr) {
      scores[i] = best_score + 0.0F;  // Both zeros become +0.
    }
  }
}

void NearestScreened(const PackedRows& packed, const Screen& /*screen*/, const StridedRows& rows,
                     std::uint32_t* indexes) {
  Nearest(packed, rows, indexes, nullptr);
}

/// Writes, for each row and packed row, the sum over dimensions of what add(row element, packed
/// element, sum) makes.
template <typename Add>
void PackedSums(const PackedRows& packed, const StridedRows& rows, float* out, const Add& add) {
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    const float* x = rows.data + i * rows.stride;
    const float* column = packed.data;
    for (std::size_t group = 0; group < packed.num_groups(); ++group, out += kPackLanes) {
      for (std::size_t lane = 0; lane < kPackLanes; ++lane) {
        out[lane] = 0.0F;
      }
      for (std::size_t d = 0; d < packed.dim; ++d, column += kPackLanes) {
        for (std::size_t lane = 0; lane < kPackLanes; ++lane) {
          out[lane] = add(x[d], column[lane], out[lane]);
        }
      }
    }
  }
}

void PackedL2(const PackedRows& packed, const StridedRows& rows, float* out) {
  PackedSums(packed, rows, out, [](float a, float b, float sum) {
    const float difference = a - b;
    return std::fma(difference, difference, sum);
  });
}

void PackedDot(const PackedRows& packed, const StridedRows& rows, float* out) {
  PackedSums(packed, rows, out, [](float a, float b, float sum) { return std::fma(a, b, sum); });
}

/// The fixed tree over 16 partial sums.
float ReduceTree(float* sums) {
  for (std::size_t width = kPackLanes / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) {
      sums[i] += sums[i + width];
    }
  }
  return sums[0];
}

float L2(const float* a, const float* b, std::size_t n) {
  float sums[kPackLanes] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const float difference = a[i] - b[i];
    sums[i % kPackLanes] = std::fma(difference, difference, sums[i % kPackLanes]);
  }
  return ReduceTree(sums);
}

float Dot(const float* a, const float* b, std::size_t n) {
  float sums[kPackLanes] = {};
  for (std::size_t i = 0; i < n; ++i) {
    sums[i % kPackLanes] = std::fma(a[i], b[i], sums[i % kPackLanes]);
  }
  return ReduceTree(sums);
}

float ResidualTerm(const float* r, const float* c, std::size_t n) {
  float sums[kPackLanes] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const float factor = std::fma(2.0F, c[i], r[i]);
    sums[i % kPackLanes] = std::fma(r[i], factor, sums[i % kPackLanes]);
  }
  return ReduceTree(sums);
}

void MinMax(const float* values, std::size_t n, float* min, float* max) {
  *min = values[0];
  *max = values[0];
  for (std::size_t i = 1; i < n; ++i) {
    *min = values[i] < *min ? values[i] : *min;
    *max = values[i] > *max ? values[i] : *max;
  }
  *min += 0.0F;  // Both zeros become +0.
  *max += 0.0F;
}

void Quantize(const float* values, std::size_t n, float min, float steps, float most,
              std::uint8_t* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const float scaled = (values[i] - min) * steps;
    out[i] = static_cast<std::uint8_t>(scaled < most ? scaled : most);
  }
}

template <unsigned kBits>
float LowerBound(const CodeBlock& block, std::size_t code_len, const BoundTable& table,
                 std::size_t lane) {
  std::uint32_t sum = 0;
  for (std::size_t j = 0; j < code_len; ++j) {
    ForEachEntry<kBits>(j, block.codes[j * kBlockLanes + lane],
                        [&](std::size_t entry) { sum += table.entries[entry]; });
  }
  const float term = block.terms != nullptr ? block.terms[lane] : 0.0F;
  const float steps = std::fmin(static_cast<float>(sum), kSaturation);
  return std::fma(table.delta, steps, block.base + term);
}

template <unsigned kBits>
std::size_t Scan(const CodeBlocks& blocks, const BoundTable& table, const ScanOutput& out) {
  std::size_t count = 0;
  for (std::size_t b = 0; b < blocks.num_blocks; ++b) {
    const CodeBlock& block = blocks.blocks[b];
    for (std::size_t lane = 0; lane < block.num_lanes; ++lane) {
      if ((block.eligible >> lane & 1U) == 0) {
        continue;
      }
      const float bound = LowerBound<kBits>(block, blocks.code_len, table, lane);
      if (!(bound > block.limit)) {
        out.lanes[count] = static_cast<std::uint32_t>(b * kBlockLanes + lane);
        out.bounds[count++] = bound;
      }
    }
  }
  return count;
}

}  // namespace

const Kernels kScalarKernels = {
    .name = "scalar",
    .nearest = Nearest,
    .nearest_screened = NearestScreened,
    .packed_l2 = PackedL2,
    .packed_dot = PackedDot,
    .l2 = L2,
    .dot = Dot,
    .residual_term = ResidualTerm,
    .min_max = MinMax,
    .quantize = Quantize,
    .keep_least = KeepLeast,
    .test_bits = TestBits,
    .scan_8bit = Scan<8>,
    .scan_4bit = Scan<4>,
    .adc_8bit = Adc<8>,
    .adc_4bit = Adc<4>,
};

}  // namespace forebay::simd
