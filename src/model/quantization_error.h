// QuantizationError: how well a model fits rows.
//
// Thread safety: a pure function of an immutable model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "forebay/model.h"

namespace forebay::model {

/// The mean squared distance between each of these rows, which are good, and what its code stands
/// for: as they are encoded, so of normalised rows for cosine. 0 without rows.
double QuantizationError(const IvfPqModel& model, VectorView rows);

/// The same of about a thousand of num_rows rows, drawn at random; row(i) is looked at before the
/// next is asked for.
double SampleQuantizationError(const IvfPqModel& model, std::size_t num_rows, std::uint64_t seed,
                               const std::function<const float*(std::size_t)>& row);

}  // namespace forebay::model
