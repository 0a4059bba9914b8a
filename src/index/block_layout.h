// BlockLayout: where in a block the codes, terms and ordinals of its 64 rows lie, the same for all
// partitions of an index.
//
// Thread safety: immutable.
//
// Invariants:
//   1. A block is one piece: codes [code byte][64], then terms [64] if there are any, then ordinals
//      [64]. Each part, and so the block, is a multiple of a cache line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "simd/kernels.h"

namespace forebay::index {

/// An index holds fewer rows. It keeps sizes far from 2^64.
inline constexpr std::size_t kMaxCapacity = std::size_t{1} << 32U;

class BlockLayout {
 public:
  /// `capacity`: rows of a partition's primary storage; beyond kMaxCapacity it counts as that.
  BlockLayout(std::size_t capacity, std::size_t code_len, bool has_terms)
      : capacity_(std::min(capacity, kMaxCapacity)), code_len_(code_len), has_terms_(has_terms) {}

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t code_len() const { return code_len_; }
  [[nodiscard]] bool has_terms() const { return has_terms_; }

  [[nodiscard]] std::size_t terms_offset() const { return code_len_ * simd::kBlockLanes; }
  [[nodiscard]] std::size_t ordinals_offset() const {
    return terms_offset() + (has_terms_ ? simd::kBlockLanes * sizeof(float) : 0);
  }
  [[nodiscard]] std::size_t block_bytes() const {
    return ordinals_offset() + simd::kBlockLanes * sizeof(std::uint32_t);
  }

 private:
  std::size_t capacity_;
  std::size_t code_len_;
  bool has_terms_;
};

}  // namespace forebay::index
