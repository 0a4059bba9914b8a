// VectorStore: the raw vectors of an index's rows, by ordinal.
//
// Thread safety: one writer (Append), any number of readers, wait-free. A reader asks for ordinals
// only that the index has published, which it does after Append.
//
// Invariants:
//   1. A chunk never moves and is freed only with the store. Chunk c holds kFirstRows x 2^c rows:
//      a fixed directory is enough. Memory of a chunk that no row was written to is reserved
//      address space only.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "forebay/index.h"

namespace forebay::python {

class VectorStore {
 public:
  explicit VectorStore(std::size_t dim) : dim_(dim) {}

  /// Throws std::bad_alloc; the same ordinals may then be appended again.
  void Append(const AcceptedRows& rows) {
    const std::size_t end = std::size_t{rows.first_ordinal} + rows.vectors.size();
    for (; FirstOf(num_chunks_) < end; ++num_chunks_) {
      chunks_[num_chunks_] =
          std::make_unique_for_overwrite<float[]>((kFirstRows << num_chunks_) * dim_);
    }
    for (std::size_t i = 0; i < rows.vectors.size(); ++i) {
      std::copy_n(rows.vectors[i], dim_, Row(rows.first_ordinal + i));
    }
    num_rows_.store(end, std::memory_order_relaxed);
  }

  [[nodiscard]] const float* row(std::uint32_t ordinal) const { return Row(ordinal); }

  /// Bytes of the rows, which is the memory taken (invariant 1). Any thread.
  [[nodiscard]] std::size_t used_bytes() const {
    return num_rows_.load(std::memory_order_relaxed) * dim_ * sizeof(float);
  }

 private:
  static constexpr std::size_t kFirstRows = 256;
  static constexpr std::size_t kMaxChunks = 25;  // 2^33 rows; ordinals have 32 bits.

  static std::size_t FirstOf(std::size_t chunk) {
    return ((std::size_t{1} << chunk) - 1) * kFirstRows;
  }
  [[nodiscard]] float* Row(std::size_t ordinal) const {
    const auto c = static_cast<std::size_t>(std::bit_width(ordinal / kFirstRows + 1)) - 1;
    return chunks_[c].get() + (ordinal - FirstOf(c)) * dim_;
  }

  const std::size_t dim_;
  std::array<std::unique_ptr<float[]>, kMaxChunks> chunks_;
  std::size_t num_chunks_ = 0;  // The writer's.
  std::atomic<std::size_t> num_rows_{0};
};

}  // namespace forebay::python
