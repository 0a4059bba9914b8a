// SmallIndex: clustered rows in a trained index, with the raw vectors beside it.
//
// Thread safety: as IvfPqMemIndex.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay::testing {

struct SmallIndexOptions {
  Metric metric = Metric::kL2;
  unsigned num_bits = 4;
  std::size_t num_rows = 1000;
  std::size_t num_partitions = 16;
  std::size_t capacity = 20;
  /// Row i has position first_position + i.
  std::uint64_t first_position = 0;
};

struct SmallIndex {
  static constexpr std::size_t kDim = 8;

  explicit SmallIndex(const SmallIndexOptions& wanted = {})
      : options(wanted),
        vectors(ClusteredVectors(wanted.num_rows, kDim, 40, 0.4F, 17)),
        index(Value(IvfPqMemIndex::Create(
            Value(Train(vectors.view(), {.num_partitions = wanted.num_partitions,
                                         .num_sub_vectors = 4,
                                         .num_bits = wanted.num_bits,
                                         .metric = wanted.metric,
                                         .max_iters = 4,
                                         .pq_max_iters = 4})),
            {.capacity = wanted.capacity}))) {
    Value(index.Insert(vectors.view(), wanted.first_position));
  }

  [[nodiscard]] SearchResult Search(VectorView queries, const SearchOptions& search = {}) const {
    return Value(index.Search(queries, search));
  }
  /// The hits of the i-th row as the query.
  [[nodiscard]] std::vector<Hit> Hits(std::size_t i, const SearchOptions& search = {}) const {
    return Search(vectors.rows(i, 1), search)[0];
  }
  [[nodiscard]] RawVectorLookup raw_vectors() const {
    return [this](std::span<const RowRef> rows, const float** out) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        out[i] = vectors.row(rows[i].row_position - options.first_position);
      }
    };
  }

  SmallIndexOptions options;
  Vectors vectors;
  IvfPqMemIndex index;
};

}  // namespace forebay::testing
