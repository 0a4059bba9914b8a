// TopK: the k nearest rows seen so far.
//
// Thread safety: none; each search thread has its own.
//
// Invariants:
//   1. Rows are ordered by (distance, row position): the result does not depend on the order in
//      which they were offered. Positions are looked up for ties and for the result only, in what
//      every call gets: a type with operator[](ordinal), as RowPositions::Reader.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "index/ordered_key.h"
#include "simd/dispatch.h"

namespace forebay::index {

/// A row that may become a hit.
struct Candidate {
  float distance = 0;
  std::uint32_t ordinal = 0;
  std::uint64_t row_position = 0;
};

class TopK {
 public:
  /// About what each of the k rows takes.
  static constexpr std::size_t kRowBytes = 4 * sizeof(OrderedKey) + sizeof(Candidate);

  /// Rows that there is room for.
  [[nodiscard]] std::size_t capacity() const { return keys_.capacity(); }

  /// Empties it for another query; k >= 1.
  void Reset(std::size_t k) {
    k_ = k;
    keys_.clear();
    threshold_ = std::numeric_limits<float>::infinity();
  }

  /// No row with a greater distance can enter. Infinite until k rows came; after that it is not
  /// less than the distance of the k-th nearest.
  [[nodiscard]] float threshold() const { return threshold_; }

  template <typename Positions>
  void Offer(float distance, std::uint32_t ordinal, Positions* positions) {
    if (distance > threshold_) {
      return;
    }
    keys_.push_back(MakeKey(distance, ordinal));
    if (keys_.size() == k_ || keys_.size() / kSlack >= k_) {
      if (!KeepRoughly()) {
        KeepNearest(positions);
      }
    }
  }

  /// The rows in any order, until the next Reset.
  template <typename Positions>
  std::span<const Candidate> Rows(Positions* positions) {
    LookUp(positions);
    return rows_;
  }

  /// The rows in ascending order, until the next Reset.
  template <typename Positions>
  std::span<const Candidate> Sort(Positions* positions) {
    LookUp(positions);
    std::sort(rows_.begin(), rows_.end(), [](const Candidate& a, const Candidate& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.row_position < b.row_position;
    });
    return rows_;
  }

 private:
  /// Letting more rows than k stand for a while is cheaper than keeping a heap in order.
  static constexpr std::size_t kSlack = 2;
  static constexpr std::size_t kSample = 16;

  /// Drops the rows beyond one of a sample that has about 5/8 of the rows before it, which costs a
  /// fraction of selecting the k-th. False, nothing done, when fewer than k would be left.
  bool KeepRoughly() {
    if (k_ < kSample || keys_.size() < kSlack * k_) {
      return false;
    }
    kept_.resize(keys_.size());
    std::array<OrderedKey, kSample> sample;
    for (std::size_t i = 0; i < kSample; ++i) {
      sample[i] = keys_[i * keys_.size() / kSample];
    }
    std::sort(sample.begin(), sample.end());
    const OrderedKey last = sample[kSample * 5 / 8];
    // With all that are as far: positions decide.
    const std::size_t num_kept =
        simd::Active().keep_least(keys_.data(), keys_.size(), LastOfValue(last), kept_.data());
    if (num_kept < k_ || num_kept == keys_.size()) {
      return false;
    }
    keys_.swap(kept_);
    keys_.resize(num_kept);
    threshold_ = ValueOf(last);
    return true;
  }

  template <typename Positions>
  void KeepNearest(Positions* positions) {
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
      std::sort(ties, end_of_ties, [positions](OrderedKey a, OrderedKey b) {
        return (*positions)[NumberOf(a)] < (*positions)[NumberOf(b)];
      });
    }
    keys_.resize(k_);
    threshold_ = ValueOf(last);
  }

  template <typename Positions>
  void LookUp(Positions* positions) {
    if (keys_.size() > k_) {
      KeepNearest(positions);
    }
    rows_.clear();
    for (const OrderedKey key : keys_) {
      rows_.push_back({ValueOf(key), NumberOf(key), (*positions)[NumberOf(key)]});
    }
  }

  std::size_t k_ = 1;
  std::vector<OrderedKey> keys_;  // Of distances and ordinals; fewer than kSlack x k.
  std::vector<OrderedKey> kept_;  // To where they are moved.
  std::vector<Candidate> rows_;
  float threshold_ = std::numeric_limits<float>::infinity();
};

}  // namespace forebay::index
