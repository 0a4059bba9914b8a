// ScreenedMatrix: packed rows rounded to 16 bits, for Kernels::nearest_screened.
//
// Thread safety: immutable after Make.
#pragma once

#include <cstdint>
#include <optional>

#include "base/aligned_array.h"
#include "forebay/model.h"
#include "simd/kernels.h"

namespace forebay::model {

class ScreenedMatrix {
 public:
  /// `packed` holds `rows`. Nothing when they have too many dimensions for it, or are too long
  /// or as good as zero. Throws std::bad_alloc.
  static std::optional<ScreenedMatrix> Make(VectorView rows, const simd::PackedRows& packed);

  [[nodiscard]] simd::Screen view() const {
    simd::Screen screen = screen_;
    screen.pairs = pairs_.data();
    return screen;
  }

 private:
  ScreenedMatrix() = default;

  AlignedArray<std::int32_t> pairs_;
  simd::Screen screen_;  // Without pairs.
};

}  // namespace forebay::model
