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

std::uint64_t Eligibility::Mask(const BlockRows& block) {
  std::uint64_t mask = 0;
  for (std::size_t lane = 0; lane < block.num_rows; ++lane) {
    mask |= static_cast<std::uint64_t>(Eligible(block.ordinals[lane])) << lane;
  }
  return mask;
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
