// PositionSet: which row positions are stored. For the writer only.
//
// Thread safety: none, but for allocated_bytes(), which any thread may call.
//
// A hash table of 64-position pages: a contiguous range costs a few bits for each position, a
// position far from all others two words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/published.h"

namespace forebay::index {

class PositionSet {
 public:
  static constexpr std::uint64_t kPageSize = 64;

  [[nodiscard]] bool Contains(std::uint64_t position) const {
    return !slots_.empty() &&
           (slots_[Find(position / kPageSize)].bits >> (position % kPageSize) & 1U) != 0;
  }

  /// Makes room for `num_pages` pages more, so that Insert does not allocate. Throws
  /// std::bad_alloc, nothing changed.
  void Reserve(std::size_t num_pages);

  /// False when it was there. Needs room for a page.
  bool Insert(std::uint64_t position);

  [[nodiscard]] std::size_t allocated_bytes() const { return allocated_bytes_.LoadAcquire(); }

 private:
  struct Slot {
    std::uint64_t page;
    std::uint64_t bits;  // 0: the slot is free.
  };

  /// The page's slot, or the free one where it belongs.
  [[nodiscard]] std::size_t Find(std::uint64_t page) const;

  std::vector<Slot> slots_;  // A power of two, at most 3/4 used.
  std::size_t num_pages_ = 0;
  Published<std::size_t> allocated_bytes_{0};
};

}  // namespace forebay::index
