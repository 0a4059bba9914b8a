// BlockStore: the memory of an index's blocks, which are numbered in the order of allocation: its
// own, or someone else's where blocks lie one behind the other.
//
// Thread safety: one writer (Allocate, CountListBytes), any number of readers. A reader asks for
// blocks only whose number was published to it after their allocation.
//
// Invariants:
//   1. Blocks never move and are freed only with the store.
//   2. Chunk c holds kFirst x 2^c blocks: a fixed directory is enough. Of a chunk, only pages that
//      were written to cost memory; the rest is reserved address space.
//   3. Borrowed blocks are chunks, too, which happen to be neighbours: a reader sees no difference.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/aligned_array.h"
#include "base/published.h"
#include "index/block_layout.h"

namespace forebay::index {

class BlockStore {
 public:
  explicit BlockStore(const BlockLayout& layout) : layout_(layout) {}

  [[nodiscard]] const BlockLayout& layout() const { return layout_; }

  /// The number of a block that is not in use yet. Throws std::bad_alloc, nothing changed.
  std::uint32_t Allocate() {
    const std::size_t number = num_blocks_.LoadByWriter();
    const std::size_t c = ChunkOf(number);
    if (number == FirstOf(c)) {
      owned_[c] = AlignedArray<std::uint8_t>((kFirst << c) * layout_.block_bytes());
      chunks_[c] = owned_[c].data();
    }
    num_blocks_.StoreRelease(number + 1);
    return static_cast<std::uint32_t>(number);
  }

  /// Of an empty store: blocks 0 to num_blocks - 1 are these bytes, which outlive it and which
  /// nobody writes. Nothing is allocated after that.
  void Borrow(const std::uint8_t* blocks, std::size_t num_blocks) {
    for (std::size_t c = 0; FirstOf(c) < num_blocks; ++c) {
      chunks_[c] = blocks + FirstOf(c) * layout_.block_bytes();
    }
  }

  [[nodiscard]] const std::uint8_t* block(std::uint32_t number) const {
    const std::size_t c = ChunkOf(number);
    return chunks_[c] + (number - FirstOf(c)) * layout_.block_bytes();
  }
  /// For the writer.
  std::uint8_t* block(std::uint32_t number) {
    const std::size_t c = ChunkOf(number);
    return owned_[c].data() + (number - FirstOf(c)) * layout_.block_bytes();
  }

  /// Allocated ones. Any thread.
  [[nodiscard]] std::size_t num_blocks() const { return num_blocks_.LoadAcquire(); }

  /// Counts memory in which partitions keep the numbers of their blocks.
  void CountListBytes(std::size_t num_bytes) {
    list_bytes_.StoreRelease(list_bytes_.LoadByWriter() + num_bytes);
  }
  /// What was counted. Any thread.
  [[nodiscard]] std::size_t list_bytes() const { return list_bytes_.LoadAcquire(); }

 private:
  static constexpr std::size_t kFirst = 64;
  static constexpr std::size_t kMaxChunks = 27;  // 2^32 blocks and more.

  static std::size_t ChunkOf(std::size_t number) {
    return static_cast<std::size_t>(std::bit_width(number / kFirst + 1)) - 1;
  }
  static std::size_t FirstOf(std::size_t chunk) { return ((std::size_t{1} << chunk) - 1) * kFirst; }

  const BlockLayout layout_;
  std::array<const std::uint8_t*, kMaxChunks> chunks_{};
  std::array<AlignedArray<std::uint8_t>, kMaxChunks> owned_;  // What chunks_ point to, or nothing.
  Published<std::size_t> num_blocks_{0};
  Published<std::size_t> list_bytes_{0};
};

}  // namespace forebay::index
