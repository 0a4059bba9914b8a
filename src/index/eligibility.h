// Eligibility: which rows a search may return, as one mask for each block, or as a list if they are
// few.
//
// Thread safety: none; each search thread has its own.
#pragma once

#include <cstdint>
#include <vector>

#include "forebay/search.h"
#include "index/partition.h"
#include "index/row_positions.h"

namespace forebay::index {

class Eligibility {
 public:
  /// `options` and `positions` outlive this. Throws std::bad_alloc.
  Eligibility(const SearchOptions& options, const RowPositions& positions, std::uint32_t snapshot,
              std::uint64_t greatest_position);

  /// False: every row is eligible, and masks are not needed.
  [[nodiscard]] bool any_excluded() const { return any_excluded_; }

  /// A bit for each eligible lane; those of absent lanes are 0.
  std::uint64_t Mask(const BlockRows& block);

  /// Appends the ordinals of all eligible rows, in any order. False if there may be more than
  /// `most`, or if it would take long to find out (many runs of positions, a long bitmap): that
  /// depends on rows and options only. `ordinals` is then as far as it came. Throws std::bad_alloc.
  bool ListIfFew(std::size_t most, std::vector<std::uint32_t>* ordinals);

 private:
  /// Calls body(ordinal) for the rows of a run that the filter allows, while it returns true.
  template <typename Body>
  bool ForEachAllowed(std::uint32_t first_ordinal, std::uint64_t first_position,
                      std::uint32_t num_rows, const Body& body) const;
  void AllowByOrdinal();
  [[nodiscard]] std::uint64_t MaskByPosition(const BlockRows& block);
  bool IsAllowed(std::uint32_t ordinal);
  [[nodiscard]] bool IsHidden(std::uint32_t ordinal) const {
    return options_.hidden_ordinals && options_.hidden_ordinals->Contains(ordinal);
  }

  const SearchOptions& options_;
  const RowFilter* const filter_;  // Or nullptr.
  const RowPositions& row_positions_;
  RowPositions::Reader positions_;
  const std::uint32_t snapshot_;
  const bool limits_positions_;  // By max_row_position.
  const bool any_excluded_;
  bool list_is_pending_;                // The filter is a list, and allowed_ was not made yet.
  std::vector<std::uint64_t> allowed_;  // A filter that is a list of positions, by ordinal.
};

}  // namespace forebay::index
