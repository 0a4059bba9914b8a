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
    rows_.clear();
    threshold_ = std::numeric_limits<float>::infinity();
  }

  [[nodiscard]] bool full() const { return rows_.size() >= k_; }

  /// No row with a greater distance can enter. Infinite until k rows came; after that it is the
  /// distance of the k-th nearest of all but the latest rows.
  [[nodiscard]] float threshold() const { return threshold_; }

  void Offer(const Candidate& row) {
    if (row.distance > threshold_) {
      return;
    }
    rows_.push_back(row);
    if (rows_.size() == k_ || rows_.size() >= kSlack * k_) {
      KeepNearest();
    }
  }

  /// The rows in ascending order, until the next Reset.
  std::span<const Candidate> Sort() {
    if (rows_.size() > k_) {
      KeepNearest();
    }
    std::sort(rows_.begin(), rows_.end(), Nearer);
    return rows_;
  }

 private:
  /// Leaving more rows than k stand for a while is cheaper than keeping a heap in order.
  static constexpr std::size_t kSlack = 2;

  static bool Nearer(const Candidate& a, const Candidate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row_position < b.row_position;
  }

  void KeepNearest() {
    const auto last = rows_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::nth_element(rows_.begin(), last, rows_.end(), Nearer);
    rows_.resize(k_);
    threshold_ = rows_.back().distance;
  }

  std::size_t k_ = 1;
  std::vector<Candidate> rows_;  // Fewer than kSlack x k (k = 1: one).
  float threshold_ = std::numeric_limits<float>::infinity();
};

}  // namespace forebay::index
