// Choices that Python names by strings. It has checked them: what is none of the names is the
// first.
//
// Thread safety: pure functions.
#pragma once

#include <string_view>

#include "forebay/index.h"
#include "forebay/table.h"

namespace forebay::python {

inline OnBadVectors ParseOnBadVectors(std::string_view name) {
  if (name == "drop") {
    return OnBadVectors::kDrop;
  }
  return name == "fill" ? OnBadVectors::kFill : OnBadVectors::kError;
}

inline SyncPolicy ParseSyncPolicy(std::string_view name) {
  if (name == "interval") {
    return SyncPolicy::kInterval;
  }
  return name == "none" ? SyncPolicy::kNone : SyncPolicy::kAlways;
}

}  // namespace forebay::python
