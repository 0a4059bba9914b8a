// PositionSet: which row positions are stored. For the writer only.
//
// Thread safety: none, but for allocated_bytes(), which any thread may call.
//
// Positions that follow the first one without a gap are a range, which costs nothing. The others
// are in a hash table of 64-position pages, where a contiguous range costs a few bits for each
// position, and a position far from all others two words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/published.h"

namespace forebay::index {

class PositionSet {
 public:
  static constexpr std::uint64_t kPageSize = 64;

  [[nodiscard]] bool Contains(std::uint64_t position) const {
    return position - first_ < range_size_ || InTable(position);
  }

  /// No more pages than this are needed for these positions, in this order.
  [[nodiscard]] std::size_t MaxPages(std::span<const std::uint64_t> positions) const;

  /// Makes room for `num_pages` pages more, so that Insert does not allocate. Throws
  /// std::bad_alloc, nothing changed.
  void Reserve(std::size_t num_pages);

  /// False when it was there. Needs room for a page, unless it comes next in the range.
  bool Insert(std::uint64_t position);

  [[nodiscard]] std::size_t allocated_bytes() const { return allocated_bytes_.LoadAcquire(); }

 private:
  struct Slot {
    std::uint64_t page;
    std::uint64_t bits;  // 0: the slot is free.
  };

  [[nodiscard]] bool InTable(std::uint64_t position) const {
    return !slots_.empty() &&
           (slots_[Find(position / kPageSize)].bits >> (position % kPageSize) & 1U) != 0;
  }
  /// The page's slot, or the free one where it belongs.
  [[nodiscard]] std::size_t Find(std::uint64_t page) const;

  std::uint64_t first_ = 0;  // Of the range. Places in it are counted modulo 2^64.
  std::uint64_t range_size_ = 0;
  std::vector<Slot> slots_;  // A power of two, at most 3/4 used.
  std::size_t num_pages_ = 0;
  Published<std::size_t> allocated_bytes_{0};
};

}  // namespace forebay::index
