// ExactSearch: the nearest rows by comparing every one.
//
// Thread safety: a pure function of an immutable version.
#pragma once

#include <cstddef>
#include <vector>

#include "forebay/model.h"
#include "forebay/search.h"
#include "table/row_set.h"
#include "table/rows.h"

namespace forebay::table {

/// The k nearest of the `live` rows for each of good queries, in ascending order of (distance,
/// ordinal). Hits name ordinals.
std::vector<std::vector<Hit>> ExactSearch(const Rows& rows, Metric metric, VectorView queries,
                                          std::size_t k, const RowSet& live,
                                          std::size_t num_threads);

}  // namespace forebay::table
