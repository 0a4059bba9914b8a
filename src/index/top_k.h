// TopK: the k nearest rows seen so far.
//
// Thread safety: none; each search thread has its own.
//
// Invariants:
//   1. Rows are ordered by (distance, row position): the result does not depend on the order in
//      which they were offered. Positions are looked up for ties and for the result only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "index/ordered_key.h"

namespace forebay::index {

/// A row that may become a hit.
struct Candidate {
  float distance = 0;
  std::uint32_t ordinal = 0;
  std::uint64_t row_position = 0;
};

/// Positions has an operator[](ordinal), as RowPositions::Reader.
template <typename Positions>
class TopK {
 public:
  explicit TopK(Positions positions) : positions_(std::move(positions)) {}

  /// Empties it for another query; k >= 1.
  void Reset(std::size_t k) {
    k_ = k;
    keys_.clear();
    threshold_ = std::numeric_limits<float>::infinity();
  }

  /// No row with a greater distance can enter. Infinite until k rows came; after that it is the
  /// distance of the k-th nearest of all but the latest rows.
  [[nodiscard]] float threshold() const { return threshold_; }

  void Offer(float distance, std::uint32_t ordinal) {
    if (distance > threshold_) {
      return;
    }
    keys_.push_back(MakeKey(distance, ordinal));
    if (keys_.size() == k_ || keys_.size() / kSlack >= k_) {
      KeepNearest();
    }
  }

  /// The rows in any order, until the next Reset.
  std::span<const Candidate> Rows() {
    LookUp();
    return rows_;
  }

  /// The rows in ascending order, until the next Reset.
  std::span<const Candidate> Sort() {
    LookUp();
    std::sort(rows_.begin(), rows_.end(), [](const Candidate& a, const Candidate& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.row_position < b.row_position;
    });
    return rows_;
  }

 private:
  /// Letting more rows than k stand for a while is cheaper than keeping a heap in order.
  static constexpr std::size_t kSlack = 2;

  void KeepNearest() {
    const auto end_of_k = keys_.begin() + static_cast<std::ptrdiff_t>(k_);
    std::nth_element(keys_.begin(), end_of_k - 1, keys_.end());
    const OrderedKey last = end_of_k[-1];
    if (std::any_of(end_of_k, keys_.end(), [last](OrderedKey k) { return SameValue(k, last); })) {
      // By position, not by ordinal.
      const auto ties = std::partition(keys_.begin(), keys_.end(), [last](OrderedKey k) {
        return k < last && !SameValue(k, last);
      });
      const auto end_of_ties =
          std::partition(ties, keys_.end(), [last](OrderedKey k) { return SameValue(k, last); });
      std::sort(ties, end_of_ties, [this](OrderedKey a, OrderedKey b) {
        return positions_[NumberOf(a)] < positions_[NumberOf(b)];
      });
    }
    keys_.resize(k_);
    threshold_ = ValueOf(last);
  }

  void LookUp() {
    if (keys_.size() > k_) {
      KeepNearest();
    }
    rows_.clear();
    for (const OrderedKey key : keys_) {
      rows_.push_back({ValueOf(key), NumberOf(key), positions_[NumberOf(key)]});
    }
  }

  Positions positions_;
  std::size_t k_ = 1;
  std::vector<OrderedKey> keys_;  // Of distances and ordinals; fewer than kSlack x k.
  std::vector<Candidate> rows_;
  float threshold_ = std::numeric_limits<float>::infinity();
};

}  // namespace forebay::index
