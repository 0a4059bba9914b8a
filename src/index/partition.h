// Partition: the codes of one partition, in blocks that are scanned where they lie.
//
// Thread safety: one writer (Reserve, TryAppend, Append), any number of readers (everything
// const), wait-free. The writer publishes `size` after the rows are written; readers look at rows
// below a size that they loaded only, so they never read what is being written.
//
// Invariants:
//   1. A block is 64 rows in one piece, aligned to 64 bytes: the codes, column-major ([code byte]
//      [64 lanes]), then a vector term for each lane if the layout has them, then the ordinals.
//   2. Ordinals ascend.
//   3. An extent never moves and is freed only with the partition; a full one is never written
//      again.
//   4. The first `capacity` rows are the primary storage, the others the overflow. Both have the
//      same layout and are scanned by the same code.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_array.h"
#include "base/published.h"
#include "forebay/status.h"
#include "index/extent_layout.h"
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

class Partition {
 public:
  /// The layout outlives the partition.
  explicit Partition(const ExtentLayout& layout) : layout_(layout) {}

  /// Appends to the primary storage. kCapacityExceeded when it has fewer than num_rows free slots;
  /// nothing is changed then. Throws std::bad_alloc, nothing changed.
  Status TryAppend(const CodeRows& rows);

  /// Appends; never full. Throws std::bad_alloc, nothing changed, unless Reserve made room.
  void Append(const CodeRows& rows);

  /// Allocates what `num_rows` more rows need. Throws std::bad_alloc.
  void Reserve(std::size_t num_rows);

  [[nodiscard]] std::size_t size() const { return end_.LoadAcquire().size; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool has_overflow() const { return size() > layout_.capacity(); }
  /// Free slots of the primary storage.
  [[nodiscard]] std::size_t remaining_capacity() const {
    const std::size_t used = size();  // Once: it may grow meanwhile.
    return used < layout_.capacity() ? layout_.capacity() - used : 0;
  }

  /// How many rows have ordinals below `snapshot`: they come first.
  [[nodiscard]] std::size_t SizeAt(std::uint32_t snapshot) const;

  /// Calls body(BlockRows) for the blocks of the first `size` rows; all but the last are full.
  template <typename Body>
  void ForEachBlock(std::size_t size, const Body& body) const {
    for (std::size_t e = 0; layout_.first_row(e) < size; ++e) {
      const std::uint8_t* block = extents_[e].data();
      const std::size_t end = std::min(size, layout_.first_row(e + 1));
      for (std::size_t row = layout_.first_row(e); row < end; row += simd::kBlockLanes) {
        body(RowsOf(block, std::min(end - row, simd::kBlockLanes)));
        block += layout_.block_bytes();
      }
    }
  }

  /// Row-major codes of rows [begin, end), which a reader has seen.
  [[nodiscard]] std::vector<std::uint8_t> RowMajorCodes(std::size_t begin, std::size_t end) const;
  /// The same rows column-major, without gaps: [code byte][end - begin].
  [[nodiscard]] std::vector<std::uint8_t> ColumnMajorCodes(std::size_t begin,
                                                           std::size_t end) const;
  [[nodiscard]] std::vector<std::uint32_t> Ordinals(std::size_t begin, std::size_t end) const;

  /// Rows that the allocated extents have room for.
  [[nodiscard]] std::size_t allocated_rows() const {
    return layout_.first_row(num_extents_.LoadAcquire());
  }

 private:
  [[nodiscard]] BlockRows RowsOf(const std::uint8_t* block, std::size_t num_rows) const {
    return {block,
            layout_.has_terms() ? reinterpret_cast<const float*>(block + layout_.terms_offset())
                                : nullptr,
            reinterpret_cast<const std::uint32_t*>(block + layout_.ordinals_offset()),
            static_cast<std::uint32_t>(num_rows)};
  }
  [[nodiscard]] std::size_t ExtentOf(std::size_t row) const;
  /// Where in its extent the block is that has the row; the row is its lane row % 64 there.
  [[nodiscard]] std::size_t BlockOffset(std::size_t extent, std::size_t row) const {
    return (row - layout_.first_row(extent)) / simd::kBlockLanes * layout_.block_bytes();
  }
  void Write(std::uint8_t* block, std::size_t lane, const CodeRows& rows, std::size_t i) const;
  [[nodiscard]] std::uint32_t OrdinalOf(std::size_t row) const;

  /// Size and last ordinal, so that a reader gets both at once.
  struct End {
    std::uint32_t size = 0;
    std::uint32_t last_ordinal = 0;
  };

  const ExtentLayout& layout_;
  Published<End> end_;
  Published<std::size_t> num_extents_{0};
  // Plain memory: a reader gets to an extent through a published size only.
  std::array<AlignedArray<std::uint8_t>, kMaxExtents> extents_;
};

}  // namespace forebay::index
