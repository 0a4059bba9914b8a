#include "index/eligibility.h"

#include <algorithm>
#include <bit>
#include <variant>

#include "simd/dispatch.h"

namespace forebay::index {
namespace {

using PositionList = std::span<const std::uint64_t>;

/// A bitmap with more words for each row that is wanted takes too long to look through.
constexpr std::uint64_t kMostWordsPerRow = 64;

simd::BitSet AsBits(const Bitmap& bitmap, std::uint64_t offset) {
  return {bitmap.words.data(), bitmap.size, offset};
}

}  // namespace

Eligibility::Eligibility(const EligibleRows& rows, const RowPositions& positions,
                         std::uint32_t snapshot, std::uint64_t greatest_position)
    : rows_(rows),
      row_positions_(&positions),
      positions_(positions),
      snapshot_(snapshot),
      limits_positions_(rows.max_row_position < greatest_position),
      any_excluded_(rows.filter != nullptr || rows.hidden_ordinals != nullptr || limits_positions_),
      list_is_pending_(rows.filter != nullptr &&
                       std::holds_alternative<PositionList>(*rows.filter)) {}

/// A bit by ordinal is found at once, a position in a list by halving it again and again. Only
/// where ordinals can be told from positions, that is from few runs.
void Eligibility::AllowByOrdinal() {
  allowed_.assign(snapshot_ / 64 + 1, 0);
  const auto allow = [&](std::uint32_t ordinal) {
    const bool in_limit = positions_[ordinal] <= rows_.max_row_position;
    allowed_[ordinal / 64] |= std::uint64_t{in_limit} << (ordinal % 64);
    return true;
  };
  const bool are_runs = row_positions_->ForEachRun(
      snapshot_, [&](std::uint32_t ordinal, std::uint64_t position, std::uint32_t num_rows) {
        ForEachAllowed(ordinal, position, num_rows, allow);
      });
  if (!are_runs) {
    allowed_.clear();
  }
}

template <typename Body>
bool Eligibility::ForEachAllowed(std::uint32_t first_ordinal, std::uint64_t first_position,
                                 std::uint32_t num_rows, const Body& body) const {
  const auto visit = [&](std::uint64_t position) {
    return body(first_ordinal + static_cast<std::uint32_t>(position - first_position));
  };
  if (const auto* list = std::get_if<PositionList>(rows_.filter)) {
    auto next = std::lower_bound(list->begin(), list->end(), first_position);
    while (next != list->end() && *next - first_position < num_rows) {
      const std::uint64_t position = *next;
      if (!visit(position)) {
        return false;
      }
      while (next != list->end() && *next == position) {  // It may be there more than once.
        ++next;
      }
    }
    return true;
  }
  const auto& bitmap = std::get<Bitmap>(*rows_.filter);
  if (first_position >= bitmap.size) {
    return true;
  }
  const std::uint64_t end =
      first_position + std::min<std::uint64_t>(num_rows, bitmap.size - first_position);
  for (std::uint64_t w = first_position / 64; w * 64 < end; ++w) {
    for (std::uint64_t bits = bitmap.words[w]; bits != 0; bits &= bits - 1) {
      const std::uint64_t position = w * 64 + static_cast<std::uint64_t>(std::countr_zero(bits));
      if (position >= first_position && position < end && !visit(position)) {
        return false;
      }
    }
  }
  return true;
}

std::uint64_t Eligibility::Mask(const BlockRows& block) {
  const simd::Kernels& kernels = simd::Active();
  std::uint64_t mask = ~std::uint64_t{0} >> (simd::kBlockLanes - block.num_rows);
  if (rows_.hidden_ordinals != nullptr) {
    mask &= ~kernels.test_bits(AsBits(*rows_.hidden_ordinals, 0), block.ordinals, block.num_rows);
  }
  if (rows_.filter == nullptr && !limits_positions_) {
    return mask;
  }
  if (list_is_pending_) {
    list_is_pending_ = false;
    AllowByOrdinal();
  }
  if (!allowed_.empty()) {
    const simd::BitSet allowed{allowed_.data(), snapshot_, 0};
    return mask & kernels.test_bits(allowed, block.ordinals, block.num_rows);
  }
  const auto* bitmap = std::get_if<Bitmap>(rows_.filter);
  std::uint64_t offset = 0;
  if (bitmap == nullptr || limits_positions_ ||
      !positions_.AreOneRun(block.ordinals[0], block.ordinals[block.num_rows - 1], &offset)) {
    return mask & MaskByPosition(block);
  }
  return mask & kernels.test_bits(AsBits(*bitmap, offset), block.ordinals, block.num_rows);
}

std::uint64_t Eligibility::MaskByPosition(const BlockRows& block) {
  std::uint64_t mask = 0;
  for (std::size_t lane = 0; lane < block.num_rows; ++lane) {
    mask |= static_cast<std::uint64_t>(IsAllowed(block.ordinals[lane])) << lane;
  }
  return mask;
}

bool Eligibility::IsAllowed(std::uint32_t ordinal) {
  const std::uint64_t position = positions_[ordinal];
  if (position > rows_.max_row_position) {
    return false;
  }
  if (rows_.filter == nullptr) {
    return true;
  }
  if (const auto* bitmap = std::get_if<Bitmap>(rows_.filter)) {
    return bitmap->Contains(position);
  }
  const auto& list = std::get<PositionList>(*rows_.filter);
  return std::binary_search(list.begin(), list.end(), position);
}

bool Eligibility::ListIfFew(std::size_t most, std::vector<std::uint32_t>* ordinals) {
  const auto add = [&](std::uint32_t ordinal) {
    if (!IsHidden(ordinal) && positions_[ordinal] <= rows_.max_row_position) {
      ordinals->push_back(ordinal);
    }
    return ordinals->size() <= most;
  };
  if (rows_.filter == nullptr) {
    for (std::uint32_t i = 0; snapshot_ <= most && i < snapshot_; ++i) {
      add(i);
    }
    return snapshot_ <= most;
  }
  const auto* bitmap = std::get_if<Bitmap>(rows_.filter);
  if (bitmap != nullptr && bitmap->size / 64 > kMostWordsPerRow * (most + 1)) {
    return false;
  }
  bool few = true;
  const bool are_runs = row_positions_->ForEachRun(
      snapshot_, [&](std::uint32_t ordinal, std::uint64_t position, std::uint32_t num_rows) {
        few = few && ForEachAllowed(ordinal, position, num_rows, add);
      });
  return are_runs && few;
}

}  // namespace forebay::index
