// ChunkedArray<T>: an append-only array whose elements never move; or one that someone else owns.
//
// Thread safety: one writer; readers may read elements that were published to them (see
// published.h) after they were written.
//
// Invariants:
//   1. Chunk c holds kFirst x 2^c elements: a fixed directory is enough for any size.
//   2. A chunk never moves and is freed only with the array.
//   3. A borrowed array is cut into the same chunks: a reader sees no difference.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <memory>

#include "base/published.h"

namespace forebay {

template <typename T>
class ChunkedArray {
  static constexpr std::size_t kFirst = 64;
  static constexpr std::size_t kMaxChunks = 40;

 public:
  /// Makes room for elements below `size`. Writer only; throws std::bad_alloc.
  void Reserve(std::size_t size) {
    for (std::size_t c = num_chunks_.LoadByWriter(); FirstOf(c) < size; ++c) {
      owned_[c] = std::make_unique_for_overwrite<T[]>(kFirst << c);
      chunks_[c] = owned_[c].get();
      num_chunks_.StoreRelease(c + 1);
    }
  }

  /// Of an empty array: it is these elements, which outlive it and which nobody writes. Nothing is
  /// appended after that.
  void Borrow(const T* elements, std::size_t size) {
    for (std::size_t c = 0; FirstOf(c) < size; ++c) {
      chunks_[c] = elements + FirstOf(c);
    }
  }

  /// For the writer.
  T& operator[](std::size_t i) {
    const std::size_t c = ChunkOf(i);
    return owned_[c][i - FirstOf(c)];
  }
  const T& operator[](std::size_t i) const {
    const std::size_t c = ChunkOf(i);
    return chunks_[c][i - FirstOf(c)];
  }

  /// Any thread.
  [[nodiscard]] std::size_t allocated_bytes() const {
    return FirstOf(num_chunks_.LoadAcquire()) * sizeof(T);
  }

 private:
  static std::size_t ChunkOf(std::size_t i) {
    return static_cast<std::size_t>(std::bit_width(i / kFirst + 1)) - 1;
  }
  static std::size_t FirstOf(std::size_t chunk) { return ((std::size_t{1} << chunk) - 1) * kFirst; }

  std::array<const T*, kMaxChunks> chunks_{};
  std::array<std::unique_ptr<T[]>, kMaxChunks> owned_;  // What chunks_ point to, or nothing.
  Published<std::size_t> num_chunks_{0};
};

}  // namespace forebay
