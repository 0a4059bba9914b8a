// MergeIndexes: the live rows of several indexes of one model in one index, without their vectors.
//
// Thread safety: a free function. Inserts into the parts may run meanwhile.
#pragma once

#include <cstdint>
#include <span>

#include "forebay/index.h"
#include "forebay/search.h"

namespace forebay::index {

struct IndexPart {
  const IvfPqMemIndex* index = nullptr;
  Bitmap dead;                 ///< Ordinals of rows to leave out; those beyond it are live.
  std::uint32_t num_rows = 0;  ///< Ordinals from here on are left out; at most index->size().
};

/// An index with the live rows, their codes and vector terms copied as they are. New ordinals are
/// dense, in the order of the parts and, within a part, of the old ordinals; row positions are the
/// new ordinals. It is what inserting the same vectors would have made, at the cost of a copy, and
/// goes on taking inserts. before_publish of the options is not called for these rows.
/// kInvalidArgument for no parts, parts of several models, num_rows beyond a part's size, a bitmap
/// with too few words, or options that IvfPqMemIndex::Create refuses; kCapacityExceeded beyond
/// 2^32 - 1 live rows.
Result<IvfPqMemIndex> MergeIndexes(std::span<const IndexPart> parts, MemIndexOptions options = {});

}  // namespace forebay::index
