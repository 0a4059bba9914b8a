#include "table/exact_search.h"

#include <algorithm>

#include "base/workers.h"
#include "index/top_k.h"
#include "model/exact_distance.h"
#include "model/vector_check.h"

namespace forebay::table {
namespace {

/// Queries that read the rows together, and rows that stay in the cache meanwhile.
constexpr std::size_t kQueriesTogether = 16;
constexpr std::uint32_t kRowsTogether = 128;

/// Ordinals are the positions.
struct Identity {
  std::uint64_t operator[](std::uint32_t ordinal) const { return ordinal; }
};

class SomeQueries {
 public:
  SomeQueries(Metric metric, VectorView queries, std::size_t k)
      : metric_(metric), dim_(queries.dim), prepared_(queries.num_rows * queries.dim) {
    nearest_.resize(queries.num_rows);
    for (std::size_t i = 0; i < queries.num_rows; ++i) {
      model::Prepare(metric, queries.row(i), dim_, prepared_.data() + i * dim_);
      nearest_[i].Reset(k);
    }
  }

  void Look(const RowBatch& batch, const RowSet& live) {
    for (std::uint32_t begin = batch.first_ordinal; begin < batch.end(); begin += kRowsTogether) {
      Gather(batch, begin, std::min(batch.end(), begin + kRowsTogether), live);
      for (std::size_t i = 0; i < nearest_.size(); ++i) {
        Look(i);
      }
    }
  }

  [[nodiscard]] std::vector<Hit> Hits(std::size_t i) {
    std::vector<Hit> hits;
    for (const index::Candidate& row : nearest_[i].Sort(&positions_)) {
      hits.push_back({row.distance, row.row_position});
    }
    return hits;
  }

 private:
  struct Row {
    std::uint32_t ordinal;
    const float* vector;
  };

  void Gather(const RowBatch& batch, std::uint32_t begin, std::uint32_t end, const RowSet& live) {
    rows_.clear();
    const bool converts = batch.vectors.converts_when_read();
    if (converts) {
      room_.resize(kRowsTogether * dim_);
    }
    for (std::uint32_t row = begin; row < end; ++row) {
      if (live.Contains(row)) {
        float* const room = converts ? room_.data() + rows_.size() * dim_ : nullptr;
        rows_.push_back({row, batch.vectors.Row(row - batch.first_ordinal, room)});
      }
    }
  }
  void Look(std::size_t i) {
    const float* const query = prepared_.data() + i * dim_;
    for (const Row& row : rows_) {
      nearest_[i].Offer(model::ExactDistance(metric_, query, row.vector, dim_), row.ordinal,
                        &positions_);
    }
  }

  const Metric metric_;
  const std::size_t dim_;
  std::vector<float> prepared_;
  std::vector<index::TopK> nearest_;
  std::vector<Row> rows_;    // Those that are looked at,
  std::vector<float> room_;  // and where their vectors are converted to.
  Identity positions_;
};

}  // namespace

std::vector<std::vector<Hit>> ExactSearch(const Rows& rows, Metric metric, VectorView queries,
                                          std::size_t k, const RowSet& live,
                                          std::size_t num_threads) {
  std::vector<std::vector<Hit>> hits(queries.num_rows);
  if (k == 0) {
    return hits;
  }
  Workers(num_threads)
      .ForRanges(queries.num_rows, kQueriesTogether, [&](std::size_t begin, std::size_t end) {
        SomeQueries some(metric, {queries.row(begin), end - begin, queries.dim}, k);
        for (const auto& batch : rows.batches()) {
          some.Look(*batch, live);
        }
        for (std::size_t i = begin; i < end; ++i) {
          hits[i] = some.Hits(i - begin);
        }
      });
  return hits;
}

}  // namespace forebay::table
