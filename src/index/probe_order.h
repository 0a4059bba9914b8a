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
#include <vector>

#include "index/ordered_key.h"
#include "model/model_data.h"

namespace forebay::index {

class ProbeOrder {
 public:
  /// Computes the coarse distances of a prepared query, and sorts the nearest `expected`
  /// partitions. Throws std::bad_alloc.
  void Start(const IvfPqModel::Data& model, const float* query, std::size_t expected);

  /// The i-th nearest partition.
  std::uint32_t operator[](std::size_t i) {
    if (i >= num_sorted_) {
      SortFirst(order_.size());
    }
    return NumberOf(order_[i]);
  }

  /// |query - centroid|^2, or with dot -<query, centroid>.
  [[nodiscard]] float coarse_distance(std::uint32_t partition) const {
    return distances_[partition];
  }

 private:
  void SortFirst(std::size_t count);

  std::vector<float> distances_;   // Padded as the packed centroids are.
  std::vector<OrderedKey> order_;  // Of distances and partitions.
  std::size_t num_sorted_ = 0;
};

}  // namespace forebay::index
