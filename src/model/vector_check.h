// Which vectors can be indexed and searched for, and the form in which they are.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>

#include "forebay/model.h"

namespace forebay::model {

/// Why a vector is bad.
enum class Defect {
  kNone,
  kNotFinite,  ///< An element is NaN or infinite.
  kTooLong,    ///< The squared norm is kMaxSquaredNorm or more.
  kZero,       ///< Under cosine: zero, or too short to be normalised.
};

Defect CheckVector(Metric metric, const float* vector, std::size_t dim);

/// "has NaN or an infinite element", and so on, to follow the name of the vector. Not for kNone.
std::string DefectText(Defect defect);

/// Copies a good vector to `out`, normalised under cosine.
void Prepare(Metric metric, const float* vector, std::size_t dim, float* out);

}  // namespace forebay::model
