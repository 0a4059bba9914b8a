// SearchedParts: the rows of one index, or of several of one model, that a search looks at, as if
// they were one index: part after part, with ordinals and row positions that go on from one to the
// next.
//
// Thread safety: none; each search thread has its own. It reads indexes that may be written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "forebay/search.h"
#include "index/eligibility.h"
#include "index/mem_index_impl.h"
#include "index/row_positions.h"

namespace forebay::index {

/// One of the indexes. Borrowed.
struct SearchPart {
  const IvfPqMemIndex::Impl* index = nullptr;
  std::uint32_t snapshot = 0;  ///< Ordinals below it are looked at.
  EligibleRows eligible = {};
};

class SearchedParts {
 public:
  struct Part {
    const IvfPqMemIndex::Impl* index;
    std::uint32_t snapshot;
    std::uint32_t first;  ///< Its ordinals, and row positions, count from here on.
    Eligibility eligibility;
    RowPositions::Reader positions;
  };

  /// Takes other parts. Throws std::bad_alloc.
  void Reset(std::span<const SearchPart> parts) {
    parts_.clear();
    num_rows_ = 0;
    for (const SearchPart& part : parts) {
      const IvfPqMemIndex::Impl& index = *part.index;
      parts_.push_back({&index, part.snapshot, num_rows_,
                        Eligibility(part.eligible, index.row_positions, part.snapshot,
                                    index.greatest_position.LoadAcquire()),
                        RowPositions::Reader(index.row_positions)});
      num_rows_ += part.snapshot;
    }
  }

  [[nodiscard]] std::span<Part> all() { return parts_; }
  [[nodiscard]] std::uint32_t num_rows() const { return num_rows_; }

  /// The row position of an ordinal.
  std::uint64_t operator[](std::uint32_t ordinal) {
    if (parts_.size() == 1) {
      return parts_.front().positions[ordinal];
    }
    const auto after =
        std::upper_bound(parts_.begin(), parts_.end(), ordinal,
                         [](std::uint32_t row, const Part& part) { return row < part.first; });
    Part& part = *(after - 1);
    return part.first + part.positions[ordinal - part.first];
  }

  /// In one of the partitions, with what was not seen yet.
  [[nodiscard]] std::size_t PartitionSize(std::uint32_t partition) const {
    std::size_t size = 0;
    for (const Part& part : parts_) {
      size += part.index->partitions[partition].size();
    }
    return size;
  }

 private:
  std::vector<Part> parts_;
  std::uint32_t num_rows_ = 0;
};

/// IvfPqMemIndex::Search over several indexes of one model: their coarse distances and tables are
/// made once, and the candidates are those of all. A hit of part i has its row position there plus
/// the snapshots of the parts before it; positions of a part are below its snapshot, all parts'
/// snapshots together below 2^32. filter, hidden_ordinals and max_row_position of `options` do not
/// count: the parts have theirs.
Result<SearchResult> SearchTogether(std::span<const SearchPart> parts, VectorView queries,
                                    const SearchOptions& options);

}  // namespace forebay::index
