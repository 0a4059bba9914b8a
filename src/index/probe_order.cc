#include "index/probe_order.h"

#include <algorithm>
#include <array>

#include "simd/dispatch.h"

namespace forebay::index {

void ProbeOrder::Start(std::span<const float> coarse_distances, std::size_t expected) {
  keys_.resize(coarse_distances.size());
  for (std::size_t p = 0; p < keys_.size(); ++p) {
    keys_[p] = MakeKey(coarse_distances[p], static_cast<std::uint32_t>(p));
  }
  const std::size_t count = std::min(expected, keys_.size());
  if (!SelectRoughly(count)) {
    order_ = keys_;
  }
  SortFirst(count);
}

bool ProbeOrder::SelectRoughly(std::size_t count) {
  constexpr std::size_t kSample = 64;
  const std::size_t expected_rank = count * kSample / keys_.size();
  const std::size_t rank = expected_rank + expected_rank / 2 + 4;
  if (keys_.size() < 4 * kSample || rank >= kSample / 2) {
    return false;
  }
  std::array<OrderedKey, kSample> sample;
  for (std::size_t i = 0; i < kSample; ++i) {
    sample[i] = keys_[i * keys_.size() / kSample];
  }
  std::nth_element(sample.begin(), sample.begin() + rank, sample.end());
  order_.resize(keys_.size());
  const std::size_t size =
      simd::Active().keep_least(keys_.data(), keys_.size(), sample[rank], order_.data());
  order_.resize(size);
  return size >= count;
}

void ProbeOrder::SortFirst(std::size_t count) {
  const auto middle = order_.begin() + static_cast<std::ptrdiff_t>(count);
  // nth_element and sort beat partial_sort's heap when `count` is more than a few.
  std::nth_element(order_.begin(), middle, order_.end());
  std::sort(order_.begin(), middle);
  num_sorted_ = count;
}

void ProbeOrder::SortMore(std::size_t count) {
  if (order_.size() < keys_.size()) {
    order_ = keys_;
  }
  SortFirst(std::min(2 * count, order_.size()));
}

}  // namespace forebay::index
