#include "index/position_set.h"

#include <bit>
#include <cassert>

namespace forebay::index {

void PositionSet::Reserve(std::size_t num_pages) {
  const std::size_t needed = (num_pages_ + num_pages) * 4 / 3 + 1;
  if (num_pages == 0 || needed <= slots_.size()) {
    return;
  }
  std::vector<Slot> old(std::bit_ceil(needed), Slot{0, 0});
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.bits != 0) {
      slots_[Find(slot.page)] = slot;
    }
  }
  allocated_bytes_.StoreRelease(slots_.size() * sizeof(Slot));
}

std::size_t PositionSet::MaxPages(std::span<const std::uint64_t> positions) const {
  std::size_t num_pages = 0;
  std::uint64_t range_size = range_size_;
  const std::uint64_t first = range_size > 0 || positions.empty() ? first_ : positions.front();
  const std::uint64_t* last_in_table = nullptr;
  for (const std::uint64_t& position : positions) {
    if (position - first == range_size) {
      ++range_size;
      continue;
    }
    const bool same_page =
        last_in_table != nullptr && position / kPageSize == *last_in_table / kPageSize;
    num_pages += same_page ? 0U : 1U;
    last_in_table = &position;
  }
  return num_pages;
}

bool PositionSet::Insert(std::uint64_t position) {
  if (Contains(position)) {
    return false;
  }
  if (range_size_ == 0) {
    first_ = position;
  }
  if (position - first_ == range_size_) {
    do {
      ++range_size_;
    } while (InTable(first_ + range_size_));
    return true;
  }
  Slot& slot = slots_[Find(position / kPageSize)];
  const std::uint64_t bit = std::uint64_t{1} << (position % kPageSize);
  num_pages_ += slot.bits == 0 ? 1 : 0;
  assert(num_pages_ < slots_.size());
  slot.page = position / kPageSize;
  slot.bits |= bit;
  return true;
}

std::size_t PositionSet::Find(std::uint64_t page) const {
  // Multiplicative hashing (Knuth 6.4): the high bits of the product are the mixed ones.
  const int shift = 64 - std::countr_zero(slots_.size());
  const std::uint64_t product = page * 0x9E3779B97F4A7C15U;
  std::size_t i = shift < 64 ? static_cast<std::size_t>(product >> shift) : 0;
  while (slots_[i].bits != 0 && slots_[i].page != page) {
    i = (i + 1) & (slots_.size() - 1);
  }
  return i;
}

}  // namespace forebay::index
