#include "index/probe_order.h"

#include <algorithm>
#include <bit>

#include "simd/dispatch.h"

namespace forebay::index {
namespace {

/// Orders as (distance, partition) does, in one comparison. Of a float's bits, those of negative
/// numbers are reversed.
std::uint64_t Key(float distance, std::uint32_t partition) {
  const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);  // Both zeros are +0.
  const std::uint32_t sign = std::uint32_t{1} << 31U;
  const std::uint32_t ordered = (bits & sign) != 0 ? ~bits : bits | sign;
  return std::uint64_t{ordered} << 32U | partition;
}

}  // namespace

void ProbeOrder::Start(const IvfPqModel::Data& model, const float* query, std::size_t expected) {
  const simd::PackedRows centroids = model.packed_centroids.view();
  distances_.resize(model.packed_centroids.padded_rows());
  if (model.metric == Metric::kDot) {
    simd::Active().packed_dot(centroids, query, distances_.data());
    std::transform(distances_.begin(), distances_.end(), distances_.begin(),
                   [](float dot) { return -dot; });
  } else {
    simd::Active().packed_l2(centroids, query, distances_.data());
  }
  order_.resize(centroids.num_rows);
  for (std::size_t p = 0; p < order_.size(); ++p) {
    order_[p] = Key(distances_[p], static_cast<std::uint32_t>(p));
  }
  num_sorted_ = 0;
  SortFirst(std::min(expected, order_.size()));
}

void ProbeOrder::SortFirst(std::size_t count) {
  const auto middle = order_.begin() + static_cast<std::ptrdiff_t>(count);
  // nth_element and sort beat partial_sort's heap when `count` is more than a few.
  std::nth_element(order_.begin(), middle, order_.end());
  std::sort(order_.begin(), middle);
  num_sorted_ = count;
}

}  // namespace forebay::index
