// CheckedIndex: an IvfPqMemIndex and a NaiveIndex in lockstep.
//
// Thread safety: one thread at a time.
//
// Every operation runs on both, and everything that can be seen of them is compared: codes, ids
// and distances bit for bit. A difference throws Disagreement, which fails a GoogleTest test as
// well as a RapidCheck property.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

#include "forebay/index.h"
#include "support/naive_index.h"

namespace forebay::testing {

/// The index and its oracle differ; the message says in what.
class Disagreement : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class CheckedIndex {
 public:
  /// The model and the options must be good ones. Throws std::runtime_error.
  explicit CheckedIndex(const IvfPqModel& model, const MemIndexOptions& options = {});
  CheckedIndex(const CheckedIndex&) = delete;  // raw_vectors() refers to this object.
  CheckedIndex& operator=(const CheckedIndex&) = delete;

  /// Inserts into both and compares the reports, or that both refuse.
  Result<InsertReport> Insert(std::span<const VectorBatch> batches, std::size_t num_threads = 1);

  /// Searches both and compares hits, probed partitions, counts and the snapshot, or that both
  /// refuse.
  [[nodiscard]] Result<SearchResult> Search(VectorView queries, const SearchOptions& options) const;

  /// Compares all rows, however they can be read, and whether the memory fits them.
  void CheckContents() const;

  /// Looks up the raw vectors of the indexed rows, which this object keeps, and has none for a row
  /// whose position and ordinal do not belong together.
  [[nodiscard]] RawVectorLookup raw_vectors() const;

  [[nodiscard]] const IvfPqMemIndex& real() const { return real_; }
  [[nodiscard]] const NaiveIndex& naive() const { return naive_; }

 private:
  void CheckProbes(const float* query, const SearchOptions& options,
                   const SearchStats& stats) const;
  void CheckAnswer(const float* query, const SearchOptions& options, const std::vector<Hit>& hits,
                   const SearchStats& stats) const;
  [[nodiscard]] bool AnyRawVectorMissing(VectorView queries, const SearchOptions& options) const;
  void CheckMemory() const;

  IvfPqMemIndex real_;
  NaiveIndex naive_;
};

}  // namespace forebay::testing
