// Eligibility: which rows a search may return, as one mask for each block.
//
// Thread safety: none; each search thread has its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

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

  /// One mask for each block of a run; the bits of absent lanes are 0. Returns how many lanes are
  /// eligible. Throws std::bad_alloc.
  std::size_t Masks(const BlockRun& run, std::vector<std::uint64_t>* masks);

 private:
  bool Eligible(std::uint32_t ordinal);

  const SearchOptions& options_;
  RowPositions::Reader positions_;
  bool any_excluded_;
};

}  // namespace forebay::index
