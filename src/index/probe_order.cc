#include "index/probe_order.h"

#include <algorithm>

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
  for (std::size_t p = 0; p < order_.size(); ++p) {
    order_[p] = MakeKey(distances_[p], static_cast<std::uint32_t>(p));
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
