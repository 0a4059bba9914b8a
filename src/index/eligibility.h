// Eligibility: which rows a search may return, as one mask for each block, or as a list if they are
// few.
//
// Thread safety: none; each search thread has its own.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "forebay/search.h"
#include "index/partition.h"
#include "index/row_positions.h"

namespace forebay::index {

/// What a search says of the rows of one index, as SearchOptions. Borrowed.
struct EligibleRows {
  const RowFilter* filter = nullptr;  ///< Or nullptr: none.
  const Bitmap* hidden_ordinals = nullptr;
  std::uint64_t max_row_position = std::numeric_limits<std::uint64_t>::max();
};

class Eligibility {
 public:
  /// What `rows` borrow, and `positions`, outlive this. Throws std::bad_alloc.
  Eligibility(const EligibleRows& rows, const RowPositions& positions, std::uint32_t snapshot,
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
    return rows_.hidden_ordinals != nullptr && rows_.hidden_ordinals->Contains(ordinal);
  }

  EligibleRows rows_;
  const RowPositions* row_positions_;
  RowPositions::Reader positions_;
  std::uint32_t snapshot_;
  bool limits_positions_;  // By max_row_position.
  bool any_excluded_;
  bool list_is_pending_;                // The filter is a list, and allowed_ was not made yet.
  std::vector<std::uint64_t> allowed_;  // A filter that is a list of positions, by ordinal.
};

}  // namespace forebay::index
