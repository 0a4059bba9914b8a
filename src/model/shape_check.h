// The rules that creating and training a model share.
#pragma once

#include <cstddef>

#include "forebay/model.h"
#include "forebay/status.h"

namespace forebay::model {

/// kInvalidArgument unless num_bits is 4 or 8, num_sub_vectors divides dim, and is even with 4.
Status CheckPqShape(std::size_t dim, std::size_t num_sub_vectors, unsigned num_bits);

/// kInvalidArgument for residual codes under dot.
Status CheckResidual(Metric metric, bool residual);

}  // namespace forebay::model
