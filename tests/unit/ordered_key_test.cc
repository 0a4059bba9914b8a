#include "index/ordered_key.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <utility>

namespace forebay::index {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();

/// Ascending, from one end to the other.
constexpr float kValues[] = {-kInfinity, -3e38F, -2.0F, -1.0F, -1e-40F, 0.0F,
                             1e-45F,     1e-40F, 1.0F,  2.0F,  3e38F,   kInfinity};
constexpr std::uint32_t kNumbers[] = {0, 1, 77, 1U << 31U, kLast};

TEST(OrderedKeyTest, HoldsBoth) {
  for (const float value : kValues) {
    for (const std::uint32_t number : kNumbers) {
      EXPECT_EQ(ValueOf(MakeKey(value, number)), value);
      EXPECT_EQ(NumberOf(MakeKey(value, number)), number);
    }
  }
}

TEST(OrderedKeyTest, OrdersByValueThenByNumber) {
  for (const float a : kValues) {
    for (const float b : kValues) {
      for (const std::uint32_t i : kNumbers) {
        for (const std::uint32_t j : kNumbers) {
          ASSERT_EQ(MakeKey(a, i) < MakeKey(b, j), std::pair(a, i) < std::pair(b, j))
              << a << ' ' << i << ", " << b << ' ' << j;
        }
      }
    }
  }
}

TEST(OrderedKeyTest, BothZerosAreOne) { EXPECT_EQ(MakeKey(-0.0F, 5), MakeKey(0.0F, 5)); }

TEST(OrderedKeyTest, TheLastOfAValueIsNotBelowItsKeysAndBelowAllGreaterOnes) {
  for (const float a : kValues) {
    for (const std::uint32_t number : kNumbers) {
      const OrderedKey last = LastOfValue(MakeKey(a, number));
      EXPECT_EQ(last, MakeKey(a, kLast));
      for (const float b : kValues) {
        ASSERT_EQ(MakeKey(b, 0) <= last, b <= a) << a << ' ' << b;
        ASSERT_EQ(SameValue(MakeKey(b, 3), last), a == b) << a << ' ' << b;
      }
    }
  }
}

}  // namespace
}  // namespace forebay::index
