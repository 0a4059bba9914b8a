// What the kernel tests share: a fixture that runs once for each level of this build, and what is
// compared bit for bit.
//
// Thread safety: one thread at a time.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "simd/dispatch.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay::testing {

inline std::vector<std::string> AllLevels() {
  const auto names = simd::LevelNames();
  return {names.begin(), names.end()};
}

inline std::string LevelName(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

/// A test of one level; skipped, with the level's name, where the CPU lacks it.
class KernelTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto level = simd::KernelsFor(GetParam());
    if (!level.ok()) {
      ASSERT_EQ(level.error().code(), StatusCode::kUnsupported) << level.error().ToString();
      GTEST_SKIP() << "level " << GetParam() << ": " << level.error().message();
    }
    level_ = *level;
  }

  [[nodiscard]] const simd::Kernels& level() const { return *level_; }
  [[nodiscard]] static const simd::Kernels& scalar() { return *Value(simd::KernelsFor("scalar")); }

 private:
  const simd::Kernels* level_ = nullptr;
};

inline std::uint32_t Bits(float x) { return std::bit_cast<std::uint32_t>(x); }
inline std::vector<std::uint32_t> Bits(std::span<const float> floats) {
  std::vector<std::uint32_t> bits;
  for (const float x : floats) {
    bits.push_back(Bits(x));
  }
  return bits;
}

/// Kinds of floats that kernels meet.
enum class Floats : std::uint8_t {
  kSmooth,    ///< In [-1, 1).
  kIntegers,  ///< -1, 0 or 1: many ties.
  kTiny,      ///< Denormal numbers, and zeros of both signs.
  kHuge,      ///< Positive, and so great that squares overflow.
  kWild,      ///< Of all magnitudes whose squares do not overflow.
};
inline constexpr Floats kAllFloats[] = {Floats::kSmooth, Floats::kIntegers, Floats::kTiny,
                                        Floats::kHuge, Floats::kWild};

inline float RandomFloat(Floats kind, Rng* rng) {
  const float x = rng->Uniform(-1, 1);
  switch (kind) {
    case Floats::kSmooth:
      return x;
    case Floats::kIntegers:
      return static_cast<float>(rng->Below(3)) - 1.0F;
    case Floats::kTiny:
      return rng->Chance(0.3) ? (x < 0 ? -0.0F : 0.0F) : x * 0x1p-130F;
    case Floats::kHuge:
      return 0x1p126F * (2.5F + x);
    case Floats::kWild:
      break;
  }
  return rng->Chance(0.1) ? -0.0F : std::ldexp(x, static_cast<int>(rng->Below(190)) - 130);
}

inline std::vector<float> RandomFloats(std::size_t n, Floats kind, Rng* rng) {
  std::vector<float> floats(n);
  for (float& x : floats) {
    x = RandomFloat(kind, rng);
  }
  return floats;
}

}  // namespace forebay::testing
