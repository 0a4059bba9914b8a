// PackedMatrix: rows laid out for kernels whose lanes are rows.
//
// Thread safety: immutable after Pack.
#pragma once

#include "base/aligned_array.h"
#include "forebay/model.h"
#include "simd/kernels.h"

namespace forebay::model {

/// What is added to <x, row> before rows are compared.
enum class Bias {
  kNone,     ///< The greatest score is the greatest inner product.
  kNearest,  ///< -|row|^2 / 2: the greatest score is the smallest L2 distance.
};

class PackedMatrix {
 public:
  /// Throws std::bad_alloc.
  static PackedMatrix Pack(VectorView rows, Bias bias);

  [[nodiscard]] simd::PackedRows view() const {
    return {data_.data(), biases_.data(), num_rows_, dim_};
  }
  /// Floats that packed_l2 and packed_dot write.
  [[nodiscard]] std::size_t padded_rows() const { return biases_.size(); }

 private:
  AlignedArray<float> data_;
  AlignedArray<float> biases_;
  std::size_t num_rows_ = 0;
  std::size_t dim_ = 0;
};

}  // namespace forebay::model
