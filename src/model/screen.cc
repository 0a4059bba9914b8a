#include "model/screen.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace forebay::model {
namespace {

/// Products of shorter rows could be so small that float operations lose more than they round;
/// scores of longer ones, or with greater biases, could overflow.
constexpr double kMinNorm = 0x1p-60;
constexpr double kMaxNorm = 0x1p62;
constexpr double kMaxBias = 0x1p124;

/// Rounding of one float operation, in units of its result.
constexpr double kFloatRounding = 0x1p-24;

double Norm(const float* row, std::size_t dim) {
  double sum = 0;
  for (std::size_t d = 0; d < dim; ++d) {
    sum += static_cast<double>(row[d]) * static_cast<double>(row[d]);
  }
  return std::sqrt(sum);
}

double GreatestNorm(VectorView rows) {
  double greatest = 0;
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    greatest = std::max(greatest, Norm(rows.row(i), rows.dim));
  }
  return greatest;
}

double GreatestBias(const simd::PackedRows& packed) {
  double greatest = 0;
  for (std::size_t i = 0; i < packed.num_rows; ++i) {
    greatest = std::max(greatest, std::abs(static_cast<double>(packed.biases[i])));
  }
  return greatest;
}

/// Two elements in one number, the even one in the low half.
std::int32_t Pair(long even, long odd) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(odd) & 0xffffU) << 16U |
                                   (static_cast<std::uint32_t>(even) & 0xffffU));
}

/// Rounds a row in steps; returns the norm of what that changed, in steps.
double Round(const float* row, std::size_t dim, double step, std::int32_t* pairs) {
  double squared_error = 0;
  const auto element = [&](std::size_t d) {
    const double steps = d < dim ? static_cast<double>(row[d]) / step : 0;
    const double rounded = std::nearbyint(steps);
    squared_error += (steps - rounded) * (steps - rounded);
    return static_cast<long>(rounded);
  };
  for (std::size_t d = 0; d < dim; d += 2) {
    const long even = element(d);
    pairs[d / 2 * simd::kPackLanes] = Pair(even, element(d + 1));
  }
  return std::sqrt(squared_error);
}

}  // namespace

std::optional<ScreenedMatrix> ScreenedMatrix::Make(VectorView rows,
                                                   const simd::PackedRows& packed) {
  const double norm = GreatestNorm(rows);
  const double bias = GreatestBias(packed);
  const bool in_range = norm >= kMinNorm && norm <= kMaxNorm && bias <= kMaxBias;
  if (rows.dim > simd::kMaxScreenDim || !in_range) {
    return std::nullopt;
  }
  constexpr auto kNorm = static_cast<double>(simd::kScreenNorm);
  ScreenedMatrix made;
  made.screen_.step = static_cast<float>(norm / kNorm);
  const auto step = static_cast<double>(made.screen_.step);
  const std::size_t group_size = (rows.dim + 1) / 2 * simd::kPackLanes;
  made.pairs_ = AlignedArray<std::int32_t>(packed.num_groups() * group_size);
  std::fill_n(made.pairs_.data(), made.pairs_.size(), 0);
  double error = 0;
  for (std::size_t i = 0; i < rows.num_rows; ++i) {
    std::int32_t* pairs =
        made.pairs_.data() + i / simd::kPackLanes * group_size + i % simd::kPackLanes;
    error = std::max(error, Round(rows.row(i), rows.dim, step, pairs));
  }
  // With a the scaled row, b the scaled packed row and a', b' what rounding made of them,
  // |<a, b> - <a', b'>| <= |a - a'| |b| + |a'| |b - b'|. Float operations come on top: those of the
  // exact score, one for each dimension, and a dozen of the screened one. Two scores can be off in
  // opposite directions, and the last factor is for the roundings of all this.
  const auto dim = static_cast<double>(rows.dim);
  const double row_error = std::sqrt(dim) / 2;
  const double rounding = (row_error * kNorm + (kNorm + row_error) * error) / (kNorm * kNorm);
  const double floats = (dim + 16) * kFloatRounding;
  constexpr double kBoth = 2 * 1.01;
  made.screen_.margin_per_norm = static_cast<float>(kBoth * norm * (rounding + floats));
  made.screen_.margin = static_cast<float>(kBoth * floats * bias);
  return made;
}

}  // namespace forebay::model
