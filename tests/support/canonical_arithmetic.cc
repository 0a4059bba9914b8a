#include "support/canonical_arithmetic.h"

#include <cmath>
#include <limits>

namespace forebay::testing {
namespace {

constexpr std::size_t kPartialSums = 16;

/// The sum of f(i) x g(i).
template <typename F, typename G>
float TreeSum(std::size_t n, const F& f, const G& g) {
  float sums[kPartialSums] = {};
  for (std::size_t i = 0; i < n; ++i) {
    sums[i % kPartialSums] = std::fma(f(i), g(i), sums[i % kPartialSums]);
  }
  for (std::size_t half = kPartialSums / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) {
      sums[i] = sums[i] + sums[i + half];
    }
  }
  return sums[0];
}

}  // namespace

float ChainDot(float start, const float* a, const float* b, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    start = std::fma(a[i], b[i], start);
  }
  return start;
}

float ChainL2(const float* a, const float* b, std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float difference = a[i] - b[i];
    sum = std::fma(difference, difference, sum);
  }
  return sum;
}

float TreeDot(const float* a, const float* b, std::size_t n) {
  return TreeSum(
      n, [a](std::size_t i) { return a[i]; }, [b](std::size_t i) { return b[i]; });
}

float TreeL2(const float* a, const float* b, std::size_t n) {
  const auto difference = [a, b](std::size_t i) { return a[i] - b[i]; };
  return TreeSum(n, difference, difference);
}

float TreeResidualTerm(const float* r, const float* c, std::size_t n) {
  return TreeSum(
      n, [r](std::size_t i) { return r[i]; },
      [r, c](std::size_t i) { return std::fma(2.0F, c[i], r[i]); });
}

std::uint32_t BestRow(const float* x, const float* rows, std::size_t num_rows, std::size_t dim,
                      bool nearest) {
  std::uint32_t best = 0;
  float best_score = -std::numeric_limits<float>::infinity();
  for (std::size_t j = 0; j < num_rows; ++j) {
    const float* row = rows + j * dim;
    const float bias = nearest ? -0.5F * TreeDot(row, row, dim) : 0.0F;
    const float score = ChainDot(bias, x, row, dim);
    if (score > best_score) {
      best_score = score;
      best = static_cast<std::uint32_t>(j);
    }
  }
  return best;
}

}  // namespace forebay::testing
