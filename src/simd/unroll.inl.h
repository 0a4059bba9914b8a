// Loops that are written out, for kernels whose arrays must stay in registers. Included by the
// files of the levels, each of which compiles its own copy.
#pragma once

#include <cstddef>
#include <utility>

namespace forebay::simd {
namespace {

template <std::size_t kIndex>
struct Constant {
  static constexpr std::size_t kValue = kIndex;
};

/// Calls body(Constant<0>()), body(Constant<1>()) and so on, kCount times. Arrays that are indexed
/// so, and set so too (a constructor would run over them in a loop), are sets of variables, which
/// compilers keep in registers. (Of <utility> only types are used: nothing that files share.)
template <std::size_t... kIndexes, typename Body>
inline void ForEachOf(std::index_sequence<kIndexes...> /*indexes*/, const Body& body) {
  (body(Constant<kIndexes>()), ...);
}
template <std::size_t kCount, typename Body>
inline void ForEach(const Body& body) {
  ForEachOf(std::make_index_sequence<kCount>(), body);
}

}  // namespace
}  // namespace forebay::simd
