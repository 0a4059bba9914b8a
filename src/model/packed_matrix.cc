#include "model/packed_matrix.h"

#include <algorithm>
#include <limits>

#include "simd/dispatch.h"

namespace forebay::model {

PackedMatrix PackedMatrix::Pack(VectorView rows, Bias bias) {
  const simd::Kernels& kernels = simd::Active();
  PackedMatrix packed;
  packed.num_rows_ = rows.num_rows;
  packed.dim_ = rows.dim;
  const std::size_t num_groups = packed.view().num_groups();
  packed.data_ = AlignedArray<float>(num_groups * rows.dim * simd::kPackLanes);
  packed.biases_ = AlignedArray<float>(num_groups * simd::kPackLanes);
  std::fill_n(packed.data_.data(), packed.data_.size(), 0.0F);
  std::fill_n(packed.biases_.data(), packed.biases_.size(),
              -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    const float* row = rows.row(i);
    float* group = packed.data_.data() + i / simd::kPackLanes * rows.dim * simd::kPackLanes;
    for (std::size_t d = 0; d < rows.dim; ++d) {
      group[d * simd::kPackLanes + i % simd::kPackLanes] = row[d];
    }
    packed.biases_[i] = bias == Bias::kNearest ? -0.5F * kernels.dot(row, row, rows.dim) : 0.0F;
  }
  return packed;
}

}  // namespace forebay::model
