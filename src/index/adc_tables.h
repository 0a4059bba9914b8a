// AdcTables: one query's lookup tables: float32 for distances, 8-bit for the lower bound.
//
// Thread safety: none; each search thread has its own.
//
// Invariants:
//   1. Every quantized entry x delta is at most (entry - the least entry of its sub-vector), in
//      exact arithmetic. A range of zero (or too small to divide by) gives delta 0 and a table of
//      zeros.
//   2. A vector whose distance is at most `threshold` is never ruled out by its partition's bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "forebay/model.h"
#include "model/model_data.h"
#include "simd/kernels.h"

namespace forebay::index {

/// Base and limit of the lower bound of a partition's vectors.
struct PartitionBound {
  float base = 0;
  double slack = 0;

  /// The limit that keeps every vector whose f32 distance is <= threshold.
  [[nodiscard]] float LimitFor(float threshold) const {
    return static_cast<float>(static_cast<double>(threshold) + slack);
  }
};

/// How finely a table is quantized.
enum class Steps : std::uint8_t {
  kFine,   ///< 255 for the greatest range of a sub-vector: few vectors survive that are too far.
  kQuick,  ///< 127, and entries in the highest fifth count as if they were at its lower end. Scans
           ///< are faster; for candidates that are ranked again.
};

class AdcTables {
 public:
  /// For a prepared query. `entries` gets the float32 table, [num_sub_vectors][2^num_bits]; the
  /// quantized one is kept here. Throws std::bad_alloc.
  void Build(const IvfPqModel::Data& model, const float* query, Steps steps,
             std::vector<float>* entries);

  [[nodiscard]] simd::BoundTable bound_table() const {
    return {.entries = quantized_.data(), .delta = delta_, .halves = steps_ == Steps::kQuick};
  }

  /// The bound of a partition, none of whose vector terms exceeds max_vector_term in magnitude.
  [[nodiscard]] PartitionBound BoundOf(float partition_term, float max_vector_term) const;

 private:
  void Quantize(const float* entries, std::size_t num_codewords);

  std::vector<std::uint8_t> quantized_;  // [num_sub_vectors][2^num_bits]
  std::vector<float> minima_;            // [num_sub_vectors]
  std::size_t num_sub_vectors_ = 0;
  Steps steps_ = Steps::kFine;
  float delta_ = 0;
  double sum_of_minima_ = 0;
  double sum_of_maxima_ = 0;  // Of absolute entries.
};

}  // namespace forebay::index
