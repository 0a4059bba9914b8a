// Eligibility: which rows a search may return, as one mask for each block.
//
// Thread safety: none; each search thread has its own.
#pragma once

#include <cstdint>

#include "forebay/search.h"
#include "index/partition.h"
#include "index/row_positions.h"

namespace forebay::index {

class Eligibility {
 public:
  /// `options` outlives this.
  Eligibility(const SearchOptions& options, const RowPositions& positions,
              std::uint64_t greatest_position)
      : options_(options),
        positions_(positions),
        any_excluded_(options.filter.has_value() || options.hidden_ordinals.has_value() ||
                      options.max_row_position < greatest_position) {}

  /// False: every row is eligible, and masks are not needed.
  [[nodiscard]] bool any_excluded() const { return any_excluded_; }

  /// A bit for each eligible lane; those of absent lanes are 0.
  std::uint64_t Mask(const BlockRows& block);

 private:
  bool Eligible(std::uint32_t ordinal);

  const SearchOptions& options_;
  RowPositions::Reader positions_;
  bool any_excluded_;
};

}  // namespace forebay::index
