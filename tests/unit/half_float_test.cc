// HalfToFloat: every number there is.
#include "base/half_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace forebay {
namespace {

/// By the definition of IEEE 754.
double Value(std::uint16_t bits) {
  const int exponent = (bits >> 10U) & 31;
  const int fraction = bits & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000U) == 0 ? magnitude : -magnitude;
}

TEST(HalfFloatTest, EveryNumberIsExact) {
  constexpr std::uint32_t kNumbers = 65'536;
  for (std::uint32_t i = 0; i < kNumbers; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float converted = HalfToFloat(bits);
    if ((bits & 0x7c00U) != 0x7c00U) {
      ASSERT_EQ(static_cast<double>(converted), Value(bits)) << i;
      ASSERT_EQ(std::signbit(converted), std::signbit(Value(bits))) << i;
    } else if ((bits & 0x3ffU) == 0) {
      ASSERT_EQ(std::abs(converted), std::numeric_limits<float>::infinity()) << i;
      ASSERT_EQ(std::signbit(converted), (bits & 0x8000U) != 0) << i;
    } else {
      ASSERT_TRUE(std::isnan(converted)) << i;
    }
  }
}

}  // namespace
}  // namespace forebay
