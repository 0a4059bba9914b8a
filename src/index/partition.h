// Partition: the codes of one partition, in blocks that are scanned where they lie.
//
// Thread safety: one writer (Reserve, TryAppend, Append, AppendLanes), any number of readers
// (everything const), wait-free. The writer publishes `size` after the rows are written; readers
// look at rows below a size that they loaded only, so they never read what is being written.
//
// Invariants:
//   1. Row i is lane i % 64 of the partition's block i / 64. Blocks come from a BlockStore, one by
//      one, so that no more than one of them is not full.
//   2. Ordinals ascend.
//   3. The first `capacity` rows are the primary storage, the others the overflow. Both have the
//      same layout and are scanned by the same code.
//   4. A partition is one cache line; the numbers of its first blocks are in it. Those of further
//      blocks are in a list, which is replaced by a longer one when it is full. Lists that were
//      replaced stay, as readers may hold them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_array.h"
#include "base/published.h"
#include "forebay/status.h"
#include "index/block_store.h"
#include "simd/kernels.h"

namespace forebay::index {

/// Rows to append to one partition.
struct CodeRows {
  const std::uint8_t* codes = nullptr;  ///< [num_rows][code_len], row-major.
  const std::uint32_t* ordinals = nullptr;
  const float* terms = nullptr;  ///< Where the layout has terms.
  std::size_t num_rows = 0;
};

/// Rows of one block, as a reader sees them.
struct BlockRows {
  const std::uint8_t* codes = nullptr;      ///< [code byte][64]
  const float* terms = nullptr;             ///< [64], or nullptr: the layout has none.
  const std::uint32_t* ordinals = nullptr;  ///< [64]
  std::uint32_t num_rows = 0;               ///< The lanes that may be read: 1 to 64.
};

class alignas(kCacheLine) Partition {
 public:
  /// The store outlives the partition.
  explicit Partition(BlockStore* store) : store_(store) {}
  ~Partition() { delete list_.LoadByWriter(); }
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  /// Appends to the primary storage. kCapacityExceeded when it has fewer than num_rows free slots;
  /// nothing is changed then. Throws std::bad_alloc, nothing changed.
  Status TryAppend(const CodeRows& rows);

  /// Appends; never full. Throws std::bad_alloc, nothing changed, unless Reserve made room.
  void Append(const CodeRows& rows);

  /// Appends num_lanes rows of a block of another partition, from its first_lane on, under these
  /// ordinals. Codes and terms are copied as they are. Throws std::bad_alloc, nothing changed.
  void AppendLanes(const BlockRows& from, std::size_t first_lane, std::size_t num_lanes,
                   const std::uint32_t* ordinals);

  /// Of an empty partition: its rows are those of the blocks from first_block on, which the store
  /// has borrowed. Nothing is appended after that. Throws std::bad_alloc.
  void Adopt(std::uint32_t first_block, std::uint32_t num_rows);

  /// Allocates what `num_rows` more rows need. Throws std::bad_alloc.
  void Reserve(std::size_t num_rows);

  /// Begins to load what a search needs to know first.
  void Prefetch() const { __builtin_prefetch(this); }

  [[nodiscard]] std::size_t size() const { return end_.LoadAcquire().size; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool has_overflow() const { return size() > store_->layout().capacity(); }
  /// Free slots of the primary storage.
  [[nodiscard]] std::size_t remaining_capacity() const {
    const std::size_t capacity = store_->layout().capacity();
    return capacity - std::min(size(), capacity);
  }

  /// How many rows have ordinals below `snapshot`: they come first.
  [[nodiscard]] std::size_t SizeAt(std::uint32_t snapshot) const;

  /// Calls body(BlockRows) for the blocks of the first `size` rows; all but the last are full.
  template <typename Body>
  void ForEachBlock(std::size_t size, const Body& body) const {
    const BlockList* const list = list_.LoadAcquire();
    for (std::size_t row = 0, b = 0; row < size; row += simd::kBlockLanes, ++b) {
      body(RowsOf(BlockOf(list, b), std::min(size - row, simd::kBlockLanes)));
    }
  }

  /// Row-major codes of rows [begin, end), which a reader has seen.
  [[nodiscard]] std::vector<std::uint8_t> RowMajorCodes(std::size_t begin, std::size_t end) const;
  /// The same rows column-major, without gaps: [code byte][end - begin].
  [[nodiscard]] std::vector<std::uint8_t> ColumnMajorCodes(std::size_t begin,
                                                           std::size_t end) const;
  [[nodiscard]] std::vector<std::uint32_t> Ordinals(std::size_t begin, std::size_t end) const;

  /// Rows that the allocated blocks have room for.
  [[nodiscard]] std::size_t allocated_rows() const {
    return num_blocks_.LoadAcquire() * simd::kBlockLanes;
  }

 private:
  /// The numbers of the blocks from kInHead on.
  struct BlockList {
    std::unique_ptr<BlockList> replaced;
    std::size_t size = 0;
    std::unique_ptr<std::uint32_t[]> numbers;
  };

  [[nodiscard]] BlockRows RowsOf(std::uint32_t number, std::size_t num_rows) const {
    const BlockLayout& layout = store_->layout();
    const std::uint8_t* const block = std::as_const(*store_).block(number);
    return {block,
            layout.has_terms() ? reinterpret_cast<const float*>(block + layout.terms_offset())
                               : nullptr,
            reinterpret_cast<const std::uint32_t*>(block + layout.ordinals_offset()),
            static_cast<std::uint32_t>(num_rows)};
  }
  [[nodiscard]] std::uint32_t BlockOf(const BlockList* list, std::size_t b) const {
    return b < kInHead ? head_[b] : list->numbers[b - kInHead];
  }
  static std::unique_ptr<BlockList> MakeList(std::size_t size);
  static std::size_t BytesOf(const BlockList& list) {
    return sizeof(BlockList) + list.size * sizeof(std::uint32_t);
  }
  void AddBlock();
  /// The list, or a longer one in its place, if it ends before i.
  BlockList* ListWithRoomFor(std::size_t i);
  void Write(std::uint8_t* block, std::size_t lane, const CodeRows& rows, std::size_t i) const;
  [[nodiscard]] std::uint32_t OrdinalOf(std::size_t row) const;

  /// Size and last ordinal, so that a reader gets both at once.
  struct End {
    std::uint32_t size = 0;
    std::uint32_t last_ordinal = 0;
  };

  static constexpr std::size_t kInHead = 9;
  static constexpr std::size_t kFirstInList = 15;  // Half a cache line, as malloc sees it.

  Published<End> end_;
  BlockStore* const store_;
  // Plain memory, here and in lists: a reader gets to a block through a published size only.
  std::array<std::uint32_t, kInHead> head_;
  Published<std::uint32_t> num_blocks_{0};  // Allocated.
  Published<BlockList*> list_{nullptr};     // Owned.
};

static_assert(sizeof(Partition) == kCacheLine);

}  // namespace forebay::index
