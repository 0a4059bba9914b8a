// QuantizationError: how well a model fits rows.
//
// Thread safety: a pure function of an immutable model.
#pragma once

#include "forebay/model.h"

namespace forebay::model {

/// The mean squared distance between each of these rows, which are good, and what its code stands
/// for: as they are encoded, so of normalised rows for cosine. 0 without rows.
double QuantizationError(const IvfPqModel& model, VectorView rows);

}  // namespace forebay::model
