// The model file, byte by byte as docs/format.md has it.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "model/model_data.h"

namespace forebay::model {

/// XXH3-64 over what a model's codes depend on: see docs/format.md. data.fingerprint is not read.
std::uint64_t Fingerprint(const IvfPqModel::Data& data);

}  // namespace forebay::model
