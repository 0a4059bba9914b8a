// FromArrow: Arrow's Status as ours.
//
// Thread safety: a pure function.
#pragma once

#include <arrow/status.h>

#include "forebay/status.h"

namespace forebay::table {

/// `code` is what a failure means here, unless memory ran out.
inline Status FromArrow(const arrow::Status& status,
                        StatusCode code = StatusCode::kInvalidArgument) {
  if (status.ok()) {
    return {};
  }
  return {status.IsOutOfMemory() ? StatusCode::kOutOfMemory : code, status.message()};
}

}  // namespace forebay::table
