// AdcTables: one query's lookup tables: float32 for distances, 8-bit for the lower bound.
//
// Thread safety: none; each search thread has its own.
//
// Invariants:
//   1. Every quantized entry x delta is at most (entry - the least entry of its sub-vector), in
//      exact arithmetic. A range of zero (or too small to divide by) gives delta 0 and a table of
//      zeros.
//   2. A vector whose distance is at most `threshold` is never ruled out by BoundFor(threshold).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "forebay/model.h"
#include "model/model_data.h"
#include "simd/kernels.h"

namespace forebay::index {

class AdcTables {
 public:
  /// For a prepared query. Throws std::bad_alloc.
  void Build(const IvfPqModel::Data& model, const float* query);

  /// The f32 table, for a partition with this term.
  [[nodiscard]] simd::AdcTable ForPartition(float partition_term) const {
    return {entries_.data(), partition_term};
  }

  /// The bound that keeps every vector of a partition whose f32 distance is <= threshold.
  /// No vector term of the partition exceeds max_vector_term in magnitude.
  [[nodiscard]] simd::ScanBound BoundFor(float threshold, float partition_term,
                                         float max_vector_term) const;

 private:
  void Quantize(std::size_t num_sub_vectors, std::size_t num_codewords);

  std::vector<float> entries_;           // [num_sub_vectors][2^num_bits]
  std::vector<std::uint8_t> quantized_;  // The same shape.
  std::vector<float> minima_;            // [num_sub_vectors]
  std::size_t num_sub_vectors_ = 0;
  float delta_ = 0;
  double sum_of_minima_ = 0;
  double sum_of_maxima_ = 0;  // Of absolute entries.
};

}  // namespace forebay::index
