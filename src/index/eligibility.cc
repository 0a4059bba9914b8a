#include "index/eligibility.h"

#include <algorithm>
#include <variant>

namespace forebay::index {
namespace {

bool Contains(const RowFilter& filter, std::uint64_t position) {
  if (const auto* bitmap = std::get_if<Bitmap>(&filter)) {
    return bitmap->Contains(position);
  }
  const auto& ascending = std::get<std::span<const std::uint64_t>>(filter);
  return std::binary_search(ascending.begin(), ascending.end(), position);
}

}  // namespace

std::size_t Eligibility::Masks(const BlockRun& run, std::vector<std::uint64_t>* masks) {
  const std::size_t num_lanes = run.codes.num_lanes;
  masks->assign((num_lanes + simd::kBlockLanes - 1) / simd::kBlockLanes, 0);
  std::size_t count = 0;
  for (std::size_t lane = 0; lane < num_lanes; ++lane) {
    const auto eligible = static_cast<std::uint64_t>(Eligible(run.ordinals[lane]));
    (*masks)[lane / simd::kBlockLanes] |= eligible << (lane % simd::kBlockLanes);
    count += eligible;
  }
  return count;
}

bool Eligibility::Eligible(std::uint32_t ordinal) {
  if (options_.hidden_ordinals && options_.hidden_ordinals->Contains(ordinal)) {
    return false;
  }
  const std::uint64_t position = positions_[ordinal];
  return position <= options_.max_row_position &&
         (!options_.filter || Contains(*options_.filter, position));
}

}  // namespace forebay::index
