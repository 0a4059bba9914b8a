// ProbeOrder: partitions from the nearest to the farthest, sorted only as far as they are asked
// for.
//
// Thread safety: none; each search thread has its own.
//
// Invariants:
//   1. The order is by (coarse distance, partition number), whatever was sorted when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/ordered_key.h"

namespace forebay::index {

class ProbeOrder {
 public:
  /// Sorts the nearest `expected` partitions by their coarse distances, at least one of them being
  /// there. Throws std::bad_alloc.
  void Start(std::span<const float> coarse_distances, std::size_t expected);

  /// The i-th nearest partition.
  std::uint32_t operator[](std::size_t i) {
    if (i >= num_sorted_) {
      SortMore(i + 1);
    }
    return NumberOf(order_[i]);
  }

 private:
  /// Those that are not farther than one of a sample, if they are `count` or more.
  bool SelectRoughly(std::size_t count);
  void SortFirst(std::size_t count);
  void SortMore(std::size_t count);

  std::vector<OrderedKey> keys_;   // Of distances and partitions, by partition.
  std::vector<OrderedKey> order_;  // The nearest num_sorted_ of them in order, then any others; all
                                   // of them once more were asked for than were expected.
  std::size_t num_sorted_ = 0;
};

}  // namespace forebay::index
