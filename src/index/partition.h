// Partition: the codes of one partition, in blocks that are scanned where they lie.
//
// Thread safety: one writer (Reserve, TryAppend, Append), any number of readers (everything
// const), wait-free. The writer publishes `size` after the rows are written; readers look at rows
// below a size that they loaded only, so they never read what is being written.
//
// Invariants:
//   1. A block is 64 rows, column-major: [code byte][64 lanes], aligned to 64 bytes. Ordinals and
//      vector terms stand beside the codes, one for each lane.
//   2. Ordinals ascend.
//   3. An extent never moves and is freed only with the partition; a full one is never written
//      again.
//   4. The first `capacity` rows are the primary storage, the others the overflow. Both have the
//      same layout and are scanned by the same code.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
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

/// Consecutive rows of one extent, from a block boundary on.
struct BlockRun {
  simd::CodeRun codes;
  const std::uint32_t* ordinals = nullptr;
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

  [[nodiscard]] std::size_t size() const { return size_.LoadAcquire(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool has_overflow() const { return size() > layout_.capacity(); }
  /// Free slots of the primary storage.
  [[nodiscard]] std::size_t remaining_capacity() const {
    const std::size_t used = size();  // Once: it may grow meanwhile.
    return used < layout_.capacity() ? layout_.capacity() - used : 0;
  }

  /// How many rows have ordinals below `snapshot`: they come first.
  [[nodiscard]] std::size_t SizeAt(std::uint32_t snapshot) const;

  /// Calls body(BlockRun) for the first `size` rows, extent by extent.
  template <typename Body>
  void ForEachRun(std::size_t size, const Body& body) const {
    for (std::size_t e = 0; layout_.first_row(e) < size; ++e) {
      const std::size_t in_extent = size - layout_.first_row(e);
      const std::size_t lanes = in_extent < layout_.num_rows(e) ? in_extent : layout_.num_rows(e);
      body(RunOf(*extents_[e], lanes));
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
  struct Extent {
    AlignedArray<std::uint8_t> codes;
    AlignedArray<std::uint32_t> ordinals;
    AlignedArray<float> terms;
  };

  [[nodiscard]] BlockRun RunOf(const Extent& extent, std::size_t num_lanes) const {
    const float* terms = layout_.has_terms() ? extent.terms.data() : nullptr;
    return {{extent.codes.data(), terms, layout_.code_len(), num_lanes}, extent.ordinals.data()};
  }
  [[nodiscard]] std::size_t ExtentOf(std::size_t row) const;
  void Write(Extent* extent, std::size_t row, const CodeRows& rows, std::size_t i) const;
  [[nodiscard]] std::uint32_t OrdinalOf(std::size_t row) const;

  const ExtentLayout& layout_;
  // Plain pointers: a reader gets to one through a published size only.
  std::array<std::unique_ptr<Extent>, kMaxExtents> extents_;
  Published<std::size_t> num_extents_{0};
  Published<std::size_t> size_{0};
};

}  // namespace forebay::index
