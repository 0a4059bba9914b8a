// ExpectedSnapshots: rows in batches, and what any search over any snapshot of them must return.
//
// Thread safety: immutable once made.
//
// The distances are those of a CheckedIndex that one thread has filled before, so a reader of an
// index that is being written can be checked to the last bit, at the cost of a scan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <vector>

#include "support/checked_index.h"
#include "support/random_models.h"

namespace forebay::testing {

/// Rows go to all partitions but the last, which stays empty: its centroid is that of the first.
/// Each of the others is empty at first, fills its primary storage, crosses the edge (when the
/// capacity is small), and overflows.
struct Setting {
  ModelSpec model;
  std::size_t capacity = 1;
  std::uint64_t stride = 1;  ///< Between row positions; above 1 they are no runs.
};

std::ostream& operator<<(std::ostream& out, const Setting& setting);

class ExpectedSnapshots {
 public:
  static constexpr std::size_t kNumRows = 900;
  static constexpr std::size_t kNumQueries = 3;
  static constexpr std::size_t kAllPartitions = 1U << 30U;

  explicit ExpectedSnapshots(const Setting& setting);

  [[nodiscard]] const IvfPqModel& model() const { return index_.real().model(); }
  [[nodiscard]] MemIndexOptions options() const { return {.capacity = setting_.capacity}; }
  [[nodiscard]] VectorView queries() const { return {queries_.data(), kNumQueries, dim()}; }
  [[nodiscard]] RawVectorLookup raw_vectors() const { return index_.raw_vectors(); }
  [[nodiscard]] std::uint64_t position(std::size_t ordinal) const {
    return setting_.stride * ordinal;
  }

  /// The batches to insert, in this order.
  [[nodiscard]] std::size_t num_batches() const { return boundaries_.size() - 1; }
  [[nodiscard]] VectorBatch batch(std::size_t b) const;

  /// Rows of a partition when everything is written.
  [[nodiscard]] std::size_t partition_size(std::size_t p) const {
    return partitions_[p].row_positions.size();
  }
  /// Whether so many rows are a number of whole batches.
  [[nodiscard]] bool IsWhole(std::size_t snapshot) const;

  /// Throws Disagreement unless these are the first rows of the partition.
  void CheckPrefix(std::size_t p, const PartitionEntries& entries) const;

  /// Throws Disagreement unless the query's hits are those of the snapshot, among the probed
  /// partitions. A filter must be a bitmap; a range and refine_factor do not go together.
  void CheckHits(std::size_t query, const SearchOptions& options, std::uint32_t snapshot,
                 const SearchStats& stats, const std::vector<Hit>& hits) const;

 private:
  /// A row as a query must find it.
  struct ScoredRow {
    Hit by_code;
    Hit exact;
    std::uint32_t ordinal = 0;
    std::uint32_t partition = 0;
  };

  [[nodiscard]] std::size_t dim() const { return setting_.model.dim(); }
  /// All rows, the nearest by code first.
  [[nodiscard]] std::vector<ScoredRow> Score(VectorView query) const;
  /// The same rows, those of least lower bound first.
  [[nodiscard]] std::vector<ScoredRow> ByBound(const float* query,
                                               std::vector<ScoredRow> rows) const;

  const Setting setting_;
  CheckedIndex index_;
  std::vector<float> vectors_;
  std::vector<float> queries_;
  std::vector<std::uint64_t> positions_;
  std::vector<std::size_t> boundaries_ = {0};  // What a snapshot may be.
  std::vector<PartitionEntries> partitions_;
  std::vector<std::vector<ScoredRow>> by_code_;   // For each query.
  std::vector<std::vector<ScoredRow>> by_bound_;  // The same.
};

}  // namespace forebay::testing
