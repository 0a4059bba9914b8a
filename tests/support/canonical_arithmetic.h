// The canonical arithmetic, written a second time: plain loops with std::fma.
//
// Thread safety: pure functions.
//
// It shares nothing with src/simd, so that the two can be compared bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forebay::testing {

/// start + sum of a[i] x b[i], one fused step after the other.
float ChainDot(float start, const float* a, const float* b, std::size_t n);
/// Sum of (a[i] - b[i])^2, the same way.
float ChainL2(const float* a, const float* b, std::size_t n);

/// Sums over pairs in 16 partial sums, element i in sum i % 16, added up by a tree: sum i and sum
/// i + 8, then + 4, + 2, + 1.
float TreeDot(const float* a, const float* b, std::size_t n);
float TreeL2(const float* a, const float* b, std::size_t n);
/// |r|^2 + 2<c, r>, as the sum of r[i] x (2 c[i] + r[i]).
float TreeResidualTerm(const float* r, const float* c, std::size_t n);

/// The row with the greatest bias + <x, row>, the first one on ties. The bias is 0, or
/// -|row|^2 / 2, which makes it the row that is nearest.
std::uint32_t BestRow(const float* x, const float* rows, std::size_t num_rows, std::size_t dim,
                      bool nearest);

}  // namespace forebay::testing
