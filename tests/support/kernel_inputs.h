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

/// What packed_l2 or packed_dot writes: its bits.
inline std::vector<std::uint32_t> PackedDistances(decltype(simd::Kernels::packed_l2) kernel,
                                                  const simd::PackedRows& packed,
                                                  const simd::StridedRows& rows) {
  GuardedArray<float> out(rows.num_rows * packed.num_groups() * simd::kPackLanes);
  kernel(packed, rows, out.data());
  return Bits({out.data(), out.size()});
}

/// What keep_least keeps, in memory that ends where the keys do.
inline std::vector<std::uint64_t> KeepLeast(const simd::Kernels& kernels,
                                            const std::vector<std::uint64_t>& keys,
                                            std::uint64_t last, bool in_place) {
  GuardedArray<std::uint64_t> from(keys);
  GuardedArray<std::uint64_t> to(keys.size());
  std::uint64_t* const out = in_place ? from.data() : to.data();
  const std::size_t count = kernels.keep_least(from.data(), keys.size(), last, out);
  return {out, out + count};
}

/// What a scan keeps: lanes, and the bits of their bounds.
struct Kept {
  std::vector<std::uint32_t> lanes = {};
  std::vector<std::uint32_t> bounds = {};

  friend bool operator==(const Kept&, const Kept&) = default;
};

inline Kept Scan(const simd::Kernels& kernels, const simd::CodeBlocks& blocks,
                 const simd::BoundTable& table, unsigned bits) {
  const std::size_t room = blocks.num_blocks * simd::kBlockLanes + simd::kPackLanes;
  GuardedArray<std::uint32_t> lanes(room);
  GuardedArray<float> bounds(room);
  const auto scan = bits == 8 ? kernels.scan_8bit : kernels.scan_4bit;
  const std::size_t count = scan(blocks, table, {lanes.data(), bounds.data()});
  return {{lanes.data(), lanes.data() + count}, Bits({bounds.data(), count})};
}

inline Kept Survivors(const simd::Kernels& kernels, const CodeRun& run, const RunBound& bound,
                      unsigned bits, const std::uint64_t* eligible) {
  const auto blocks = BlocksOf(run, bound, eligible);
  return Scan(kernels, {blocks.data(), blocks.size(), run.code_len}, bound.bound_table(), bits);
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
