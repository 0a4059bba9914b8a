// HalfToFloat: from IEEE 754's binary16 to float.
//
// Thread safety: a pure function.
#pragma once

#include <bit>
#include <cstdint>

namespace forebay {

/// The same number, or infinity, or a NaN. Compilers vectorise loops of it: the exponent is moved
/// to where a float has it, and a product makes up for the difference of the biases.
inline float HalfToFloat(std::uint16_t bits) {
  constexpr std::uint32_t kFloatInfinity = 0x7f800000;
  constexpr std::uint32_t kHalfInfinity = 0x7c00;
  constexpr std::uint32_t kHalfSign = 0x8000;
  const std::uint32_t magnitude = (bits & (kHalfSign - 1)) << 13U;
  const auto finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const bool is_finite = (bits & kHalfInfinity) != kHalfInfinity;
  const std::uint32_t unsigned_bits = is_finite ? finite : magnitude | kFloatInfinity;
  return std::bit_cast<float>(unsigned_bits | (bits & kHalfSign) << 16U);
}

}  // namespace forebay
