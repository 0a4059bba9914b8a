// ExactDistance: between a query and a raw vector, as re-ranking and exact search give it.
//
// Thread safety: a pure function.
#pragma once

#include <cmath>
#include <cstddef>

#include "forebay/model.h"
#include "simd/dispatch.h"

namespace forebay::model {

/// `query` is prepared (Prepare), `raw` is as it came. NaN or infinite for a bad vector.
inline float ExactDistance(Metric metric, const float* query, const float* raw, std::size_t dim) {
  const simd::Kernels& kernels = simd::Active();
  switch (metric) {
    case Metric::kL2:
      return kernels.l2(query, raw, dim);
    case Metric::kDot:
      return 1.0F - kernels.dot(query, raw, dim);
    case Metric::kCosine:
      break;
  }
  const float norm = std::sqrt(kernels.dot(raw, raw, dim));
  return 1.0F - kernels.dot(query, raw, dim) / norm;
}

}  // namespace forebay::model
