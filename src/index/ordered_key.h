// A float and a number in one integer, which orders as (float, number) does: one comparison, no
// indirection, for sorting and selecting.
//
// Thread safety: free functions.
//
// Invariants:
//   1. Of floats that are no NaN, the lesser has the lesser key; -0 counts as +0.
#pragma once

#include <bit>
#include <cstdint>

namespace forebay::index {

using OrderedKey = std::uint64_t;

inline OrderedKey MakeKey(float value, std::uint32_t number) {
  constexpr std::uint32_t kSign = std::uint32_t{1} << 31U;
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);
  // The bits of negative floats order the other way round.
  const std::uint32_t ordered = (bits & kSign) != 0 ? ~bits : bits | kSign;
  return std::uint64_t{ordered} << 32U | number;
}

inline std::uint32_t NumberOf(OrderedKey key) { return static_cast<std::uint32_t>(key); }

inline float ValueOf(OrderedKey key) {
  constexpr std::uint32_t kSign = std::uint32_t{1} << 31U;
  const auto ordered = static_cast<std::uint32_t>(key >> 32U);
  return std::bit_cast<float>((ordered & kSign) != 0 ? ordered ^ kSign : ~ordered);
}

/// The greatest key of the same value.
inline OrderedKey LastOfValue(OrderedKey key) { return key | 0xffffffffU; }

inline bool SameValue(OrderedKey a, OrderedKey b) { return a >> 32U == b >> 32U; }

}  // namespace forebay::index
