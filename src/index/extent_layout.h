// ExtentLayout: how many rows each extent of a partition holds, the same for all partitions of an
// index.
//
// Thread safety: immutable.
//
// Invariants:
//   1. An extent is a whole number of blocks of 64 rows. Extent 0 holds the capacity, rounded up;
//      each one after it half as much as all before it, and at least one block.
//   2. The extents together hold more than 2^32 rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "simd/kernels.h"

namespace forebay::index {

/// Enough for 2^32 rows from a first extent of one block.
inline constexpr std::size_t kMaxExtents = 52;

/// An index holds fewer rows. It keeps sizes far from 2^64.
inline constexpr std::size_t kMaxCapacity = std::size_t{1} << 32U;

class ExtentLayout {
 public:
  /// A capacity beyond kMaxCapacity counts as that.
  ExtentLayout(std::size_t capacity, std::size_t code_len, bool has_terms)
      : capacity_(std::min(capacity, kMaxCapacity)), code_len_(code_len), has_terms_(has_terms) {
    first_blocks_[1] = (capacity_ + simd::kBlockLanes - 1) / simd::kBlockLanes;
    for (std::size_t e = 1; e < kMaxExtents; ++e) {
      const std::size_t half = first_blocks_[e] / 2;
      first_blocks_[e + 1] = first_blocks_[e] + (half > 0 ? half : 1);
    }
  }

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t code_len() const { return code_len_; }
  [[nodiscard]] bool has_terms() const { return has_terms_; }

  /// A block's bytes: codes, then terms if there are any, then ordinals; multiples of a cache line.
  [[nodiscard]] std::size_t terms_offset() const { return code_len_ * simd::kBlockLanes; }
  [[nodiscard]] std::size_t ordinals_offset() const {
    return terms_offset() + (has_terms_ ? simd::kBlockLanes * sizeof(float) : 0);
  }
  [[nodiscard]] std::size_t block_bytes() const {
    return ordinals_offset() + simd::kBlockLanes * sizeof(std::uint32_t);
  }

  /// Rows before extent e; also for e = kMaxExtents.
  [[nodiscard]] std::size_t first_row(std::size_t e) const {
    return first_blocks_[e] * simd::kBlockLanes;
  }
  [[nodiscard]] std::size_t num_rows(std::size_t e) const {
    return first_row(e + 1) - first_row(e);
  }

 private:
  std::size_t capacity_;
  std::size_t code_len_;
  bool has_terms_;
  std::array<std::size_t, kMaxExtents + 1> first_blocks_ = {};
};

}  // namespace forebay::index
