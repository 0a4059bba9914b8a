#include "model/vector_check.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "simd/dispatch.h"

namespace forebay::model {

Defect CheckVector(Metric metric, const float* vector, std::size_t dim) {
  const float squared_norm = simd::Active().dot(vector, vector, dim);
  if (!(squared_norm < kMaxSquaredNorm)) {  // Also when it is NaN.
    const bool finite = std::all_of(vector, vector + dim, [](float x) { return std::isfinite(x); });
    return finite ? Defect::kTooLong : Defect::kNotFinite;
  }
  // Below the smallest normal number the norm has lost its precision.
  if (metric == Metric::kCosine && squared_norm < std::numeric_limits<float>::min()) {
    return Defect::kZero;
  }
  return Defect::kNone;
}

std::string DefectText(Defect defect) {
  assert(defect != Defect::kNone);
  switch (defect) {
    case Defect::kNotFinite:
      return "has NaN or an infinite element; every element must be finite";
    case Defect::kTooLong:
      return "is too long: its squared norm overflows (2^124 or more); scale the vectors down";
    default:
      return "is zero, which has no direction under cosine (or too short to be normalised); leave "
             "it out or use l2 or dot";
  }
}

void Prepare(Metric metric, const float* vector, std::size_t dim, float* out) {
  if (metric != Metric::kCosine) {
    std::copy_n(vector, dim, out);
    return;
  }
  const float norm = std::sqrt(simd::Active().dot(vector, vector, dim));
  for (std::size_t d = 0; d < dim; ++d) {
    out[d] = vector[d] / norm;
  }
}

}  // namespace forebay::model
