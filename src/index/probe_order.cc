#include "index/probe_order.h"

#include <algorithm>
#include <numeric>

#include "simd/dispatch.h"

namespace forebay::index {

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
  std::iota(order_.begin(), order_.end(), 0U);
  num_sorted_ = 0;
  SortFirst(std::min(expected, order_.size()));
}

void ProbeOrder::SortFirst(std::size_t count) {
  const auto nearer = [this](std::uint32_t a, std::uint32_t b) {
    return distances_[a] != distances_[b] ? distances_[a] < distances_[b] : a < b;
  };
  const auto middle = order_.begin() + static_cast<std::ptrdiff_t>(count);
  // nth_element and sort beat partial_sort's heap when `count` is more than a few.
  std::nth_element(order_.begin(), middle, order_.end(), nearer);
  std::sort(order_.begin(), middle, nearer);
  num_sorted_ = count;
}

}  // namespace forebay::index
