// VectorStore: the raw vectors of an index's rows, by ordinal.
//
// Thread safety: one writer (Append), any number of readers, wait-free. A reader asks for ordinals
// only that the index has published, which it does after Append.
//
// Invariants:
//   1. A chunk never moves and is freed only with the store. Chunk c holds kFirstRows x 2^c rows:
//      a fixed directory is enough. Pages of a chunk that no row was written to are reserved
//      address space only.
//   2. Rows begin on cache lines, if that costs little: re-ranking reads them one here, one there.
//      Chunks of kHugeBytes and more ask for huge pages, for the same reason.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "forebay/index.h"

namespace forebay::python {

class VectorStore {
 public:
  explicit VectorStore(std::size_t dim) : dim_(dim), stride_(StrideOf(dim)) {}

  /// Throws std::bad_alloc; the same ordinals may then be appended again.
  void Append(const AcceptedRows& rows) {
    const std::size_t end = std::size_t{rows.first_ordinal} + rows.vectors.size();
    for (; FirstOf(num_chunks_) < end; ++num_chunks_) {
      chunks_[num_chunks_] = Allocate((kFirstRows << num_chunks_) * stride_ * sizeof(float));
    }
    for (std::size_t i = 0; i < rows.vectors.size(); ++i) {
      std::copy_n(rows.vectors[i], dim_, Row(rows.first_ordinal + i));
    }
    num_rows_.store(end, std::memory_order_relaxed);
  }

  [[nodiscard]] const float* row(std::uint32_t ordinal) const { return Row(ordinal); }

  /// Bytes of the rows, which is the memory taken (invariant 1). Any thread.
  [[nodiscard]] std::size_t used_bytes() const {
    return num_rows_.load(std::memory_order_relaxed) * stride_ * sizeof(float);
  }

 private:
  static constexpr std::size_t kFirstRows = 256;
  static constexpr std::size_t kMaxChunks = 25;  // 2^33 rows; ordinals have 32 bits.

  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::size_t kHugePage = std::size_t{1} << 21U;
  static constexpr std::size_t kHugeBytes = 2 * kHugePage;

  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  using Chunk = std::unique_ptr<float, Free>;

  /// Whole cache lines, if they are not more than an eighth longer.
  static std::size_t StrideOf(std::size_t dim) {
    constexpr std::size_t kFloats = kCacheLine / sizeof(float);
    const std::size_t whole = (dim + kFloats - 1) / kFloats * kFloats;
    return whole - dim <= dim / 8 ? whole : dim;
  }

  static Chunk Allocate(std::size_t bytes) {
    const std::size_t alignment = bytes >= kHugeBytes ? kHugePage : kCacheLine;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) {
      throw std::bad_alloc();
    }
    if (alignment == kHugePage) {
      ::madvise(memory, rounded, MADV_HUGEPAGE);  // Only a wish.
    }
    return Chunk(static_cast<float*>(memory));
  }

  static std::size_t FirstOf(std::size_t chunk) {
    return ((std::size_t{1} << chunk) - 1) * kFirstRows;
  }
  [[nodiscard]] float* Row(std::size_t ordinal) const {
    const auto c = static_cast<std::size_t>(std::bit_width(ordinal / kFirstRows + 1)) - 1;
    return chunks_[c].get() + (ordinal - FirstOf(c)) * stride_;
  }

  const std::size_t dim_;
  const std::size_t stride_;  // Of rows, in floats.
  std::array<Chunk, kMaxChunks> chunks_;
  std::size_t num_chunks_ = 0;  // The writer's.
  std::atomic<std::size_t> num_rows_{0};
};

}  // namespace forebay::python
