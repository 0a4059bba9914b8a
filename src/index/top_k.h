// TopK: the k nearest rows seen so far.
//
// Thread safety: none; each search thread has its own.
//
// Invariants:
//   1. Rows are ordered by (distance, row position): the result does not depend on the order in
//      which they were offered.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace forebay::index {

/// A row that may become a hit.
struct Candidate {
  float distance = 0;
  std::uint32_t ordinal = 0;
  std::uint64_t row_position = 0;
};

class TopK {
 public:
  /// Empties it for another query; k >= 1.
  void Reset(std::size_t k) {
    k_ = k;
    heap_.clear();
  }

  [[nodiscard]] bool full() const { return heap_.size() == k_; }

  /// No row with a greater distance can enter.
  [[nodiscard]] float threshold() const {
    return full() ? heap_.front().distance : std::numeric_limits<float>::infinity();
  }

  void Offer(const Candidate& row) {
    if (!full()) {
      heap_.push_back(row);
      std::push_heap(heap_.begin(), heap_.end(), Nearer);
    } else if (Nearer(row, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), Nearer);
      heap_.back() = row;
      std::push_heap(heap_.begin(), heap_.end(), Nearer);
    }
  }

  /// The rows in ascending order, until the next Reset.
  std::span<const Candidate> Sort() {
    std::sort_heap(heap_.begin(), heap_.end(), Nearer);
    return heap_;
  }

 private:
  static bool Nearer(const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row_position < b.row_position;
  }

  std::size_t k_ = 1;
  std::vector<Candidate> heap_;  // The farthest row in front.
};

}  // namespace forebay::index
