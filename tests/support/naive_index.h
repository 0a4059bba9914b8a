// NaiveIndex: what an index must answer, computed by plain loops over all rows.
//
// Thread safety: as a plain value.
//
// It shares no code with the engine, only the public types, and has an implementation of the
// canonical arithmetic of its own, with std::fma in loops. So ids, codes and distances can be
// compared bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "forebay/index.h"

namespace forebay::testing {

class NaiveIndex {
 public:
  /// One indexed row, in ordinal order.
  struct Row {
    std::uint64_t position = 0;
    std::vector<float> raw = {};  ///< As it came; NaN for a null.
    std::uint32_t partition = 0;
    std::vector<std::uint32_t> codewords = {};  ///< One for each sub-vector.
    float term = 0;                             ///< |r|^2 + 2<c, r>; 0 without residuals.
  };

  /// What the search for one query must return.
  struct Answer {
    std::vector<Hit> hits = {};
    std::size_t num_eligible = 0;
    std::size_t num_reranked = 0;
  };

  NaiveIndex(IvfPqModel model, MemIndexOptions options);

  /// The report, or the code of the error (whose message is not the engine's).
  Result<InsertReport> Insert(std::span<const VectorBatch> batches);

  /// The error that a search with these arguments must give before it looks at any row.
  [[nodiscard]] Status CheckSearch(VectorView queries, const SearchOptions& options) const;

  /// All partitions, the nearest to the query first.
  [[nodiscard]] std::vector<std::uint32_t> ProbeOrder(const float* query) const;

  /// The fewest partitions from the front of `order` that a search may probe.
  [[nodiscard]] std::size_t NumProbes(std::span<const std::uint32_t> order,
                                      const SearchOptions& options) const;

  /// The answer when these partitions are probed; an error when a raw vector is missing.
  [[nodiscard]] Result<Answer> Search(const float* query, const SearchOptions& options,
                                      std::span<const std::uint32_t> probed) const;

  /// The answer when all eligible rows are ranked by their exact distances; an error when a raw
  /// vector is missing.
  [[nodiscard]] Result<Answer> RankAll(const float* query, const SearchOptions& options) const;

  /// Of the distance to each row, by ordinal and before scaling: what ranks candidates for an exact
  /// distance.
  [[nodiscard]] std::vector<float> LowerBounds(const float* query) const;

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  /// The row at this position, or nullptr.
  [[nodiscard]] const Row* Find(std::uint64_t position) const;
  [[nodiscard]] PartitionEntries Entries(std::uint32_t partition) const;

 private:
  struct Scored {
    Hit hit;
    std::uint32_t ordinal = 0;
  };

  /// A table in steps of `delta` above the least entry of each sub-vector, rounded down.
  struct QuantizedTable {
    std::vector<std::uint32_t> steps;
    float delta = 0;
    double sum_of_minima = 0;
  };

  [[nodiscard]] Status CheckShape(const VectorBatch& batch) const;
  [[nodiscard]] bool IsBad(std::span<const float> vector) const;
  [[nodiscard]] std::vector<float> Prepared(const float* vector) const;
  [[nodiscard]] Row Encode(std::uint64_t position, std::vector<float> raw) const;
  [[nodiscard]] float CoarseDistance(const std::vector<float>& query, std::size_t p) const;
  /// What the distances of a partition's rows begin with.
  [[nodiscard]] float PartitionTerm(const std::vector<float>& query, std::size_t p) const;
  [[nodiscard]] bool IsEligible(std::uint32_t ordinal, const SearchOptions& options) const;
  /// [num_sub_vectors][num_codewords]
  [[nodiscard]] std::vector<float> Table(const std::vector<float>& query) const;
  [[nodiscard]] QuantizedTable Quantized(const std::vector<float>& table) const;
  /// The eligible rows of the probed partitions with their distances, or with their lower bounds
  /// when there is re-ranking, in any order. The range has ruled out the others.
  [[nodiscard]] std::vector<Scored> Ranked(const std::vector<float>& query,
                                           const SearchOptions& options,
                                           std::span<const std::uint32_t> probed,
                                           std::size_t* num_eligible) const;
  /// Both before scaling.
  [[nodiscard]] float CodeDistance(const Row& row, const std::vector<float>& table,
                                   float partition_term) const;
  [[nodiscard]] float LowerBound(const Row& row, const QuantizedTable& table,
                                 float partition_term) const;
  /// The distance of codes under cosine is half of that of normalised vectors.
  [[nodiscard]] float Scaled(float distance) const;
  [[nodiscard]] float ExactDistance(const std::vector<float>& query, const float* raw) const;
  [[nodiscard]] Status Rerank(const std::vector<float>& query, const SearchOptions& options,
                              std::vector<Scored>* nearest) const;
  [[nodiscard]] const float* codeword(std::size_t m, std::size_t j) const;

  const IvfPqModel model_;
  const MemIndexOptions options_;
  const std::size_t dim_;
  const std::size_t num_sub_vectors_;
  const std::size_t sub_dim_;
  std::vector<Row> rows_;
  std::map<std::uint64_t, std::uint32_t> ordinals_;  // By position.
};

}  // namespace forebay::testing
