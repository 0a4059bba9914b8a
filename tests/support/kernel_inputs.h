// What kernels are called with in tests: random inputs that end where the memory does.
//
// Thread safety: one thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "forebay/model.h"
#include "simd/kernels.h"
#include "support/code_blocks.h"
#include "support/guarded_array.h"
#include "support/kernel_test.h"
#include "support/test_data.h"

namespace forebay::testing {

/// Packed rows that end where the memory does. Keeps the rows as they came, too.
class Packed {
 public:
  Packed(std::size_t num_rows, std::size_t dim, std::span<const float> rows,
         std::span<const float> biases)
      : num_rows_(num_rows),
        dim_(dim),
        rows_(rows.begin(), rows.end()),
        data_(Groups(num_rows) * dim * simd::kPackLanes),
        biases_(Groups(num_rows) * simd::kPackLanes) {
    std::fill_n(data_.data(), data_.size(), 0.0F);
    std::fill_n(biases_.data(), biases_.size(), -std::numeric_limits<float>::infinity());
    for (std::size_t i = 0; i < num_rows; ++i) {
      biases_.data()[i] = biases[i];
      for (std::size_t d = 0; d < dim; ++d) {
        data_.data()[(i / simd::kPackLanes * dim + d) * simd::kPackLanes + i % simd::kPackLanes] =
            rows[i * dim + d];
      }
    }
  }

  [[nodiscard]] simd::PackedRows view() const {
    return {data_.data(), biases_.data(), num_rows_, dim_};
  }
  [[nodiscard]] VectorView rows() const { return {rows_.data(), num_rows_, dim_}; }
  [[nodiscard]] const float* row(std::size_t i) const { return rows_.data() + i * dim_; }

 private:
  static std::size_t Groups(std::size_t num_rows) { return (num_rows + 15) / 16; }

  std::size_t num_rows_;
  std::size_t dim_;
  std::vector<float> rows_;
  GuardedArray<float> data_;
  GuardedArray<float> biases_;
};

/// Rows with other floats between them, the last of which ends where the memory does.
class Rows {
 public:
  Rows(std::size_t num_rows, std::size_t dim, std::size_t stride, Floats kind, Rng* rng)
      : num_rows_(num_rows),
        stride_(stride),
        data_(RandomFloats((num_rows - 1) * stride + dim, kind, rng)) {}

  [[nodiscard]] simd::StridedRows view() const { return {data_.data(), num_rows_, stride_}; }

 private:
  std::size_t num_rows_;
  std::size_t stride_;
  GuardedArray<float> data_;
};

inline std::size_t EntriesPerByte(unsigned bits) { return bits == 8 ? 256 : 32; }

inline std::vector<std::uint8_t> RandomBytes(std::size_t n, Rng* rng) {
  std::vector<std::uint8_t> bytes(n);
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(rng->Next());
  }
  return bytes;
}

/// Masks in which absent lanes look eligible too, as nothing says that they do not.
inline std::vector<std::uint64_t> RandomMasks(std::size_t num_lanes, double density, Rng* rng) {
  std::vector<std::uint64_t> masks((num_lanes + 63) / 64, 0);
  for (std::size_t i = 0; i < masks.size() * 64; ++i) {
    if (i >= num_lanes || rng->Chance(density)) {
      masks[i / 64] |= std::uint64_t{1} << (i % 64);
    }
  }
  return masks;
}

inline std::vector<std::uint32_t> Survivors(const simd::Kernels& kernels, const CodeRun& run,
                                            const RunBound& bound, unsigned bits,
                                            const std::uint64_t* eligible) {
  const auto blocks = BlocksOf(run, bound, eligible);
  GuardedArray<std::uint32_t> survivors(blocks.size() * simd::kBlockLanes + simd::kPackLanes);
  const auto scan = bits == 8 ? kernels.scan_8bit : kernels.scan_4bit;
  const std::size_t count = scan({blocks.data(), blocks.size(), run.code_len},
                                 {bound.table, bound.delta}, survivors.data());
  return {survivors.data(), survivors.data() + count};
}

inline std::vector<float> AdcDistances(const simd::Kernels& kernels, const CodeRun& run,
                                       const float* entries, float partition_term, unsigned bits,
                                       const std::vector<std::uint32_t>& lanes) {
  auto blocks = BlocksOf(run, {}, nullptr);
  for (simd::CodeBlock& block : blocks) {
    block.partition_term = partition_term;
  }
  const GuardedArray<std::uint32_t> wanted(lanes);
  GuardedArray<float> distances(lanes.size());
  const auto adc = bits == 8 ? kernels.adc_8bit : kernels.adc_4bit;
  adc({blocks.data(), blocks.size(), run.code_len}, entries, wanted.data(), lanes.size(),
      distances.data());
  return distances.ToVector();
}

}  // namespace forebay::testing
