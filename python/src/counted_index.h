// CountedIndex: an IvfPqMemIndex with what Python adds: raw vectors for re-ranking, row positions
// that go on by themselves, and counts of what was done.
//
// Thread safety: as IvfPqMemIndex: one writer (a second one at the same time is refused), any
// number of readers. Nothing here needs the GIL.
//
// Invariants:
//   1. With vectors, the one of every row that a search can find is among them: in the store, or,
//      beside an opened index, in the array that was given with it.
//   2. Row positions that are inserted here fit int64, as Python hands them out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "vector_store.h"
#include "vectors.h"

namespace forebay::python {

/// Rows to insert: from `first` on, or one position for each row, or, when neither is given, from
/// the greatest position so far on.
struct InsertPart {
  const Vectors* vectors = nullptr;
  std::optional<std::uint64_t> first = std::nullopt;
  std::optional<std::span<const std::uint64_t>> positions = std::nullopt;
};

/// Sums over the life of an index. Kept one by one: they need not agree while work goes on.
struct Counts {
  std::atomic<std::uint64_t> skipped{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> filled{0};
  std::atomic<std::uint64_t> queries{0};
  std::atomic<std::uint64_t> probed_partitions{0};
  std::atomic<std::uint64_t> eligible_rows{0};
  std::atomic<std::uint64_t> evaluated_rows{0};
  std::atomic<std::uint64_t> reranked_rows{0};
};

class CountedIndex {
 public:
  /// Throws StatusError, as Insert does.
  CountedIndex(const IvfPqModel& model, MemIndexOptions options, bool keep_vectors);

  /// An opened index, with the vectors of its rows, [num_rows][dim] by ordinal, or none. Throws
  /// StatusError for another shape.
  CountedIndex(IvfPqMemIndex opened, std::optional<FloatRows> vectors);

  /// All parts become visible together, or none.
  InsertReport Insert(std::span<const InsertPart> parts, std::size_t num_threads);

  /// `options` without raw_vectors, which are those that are here.
  Result<SearchResult> Search(VectorView queries, SearchOptions options) const;

  [[nodiscard]] const IvfPqMemIndex& index() const { return index_; }
  /// nullptr: the vectors are not kept, or not here.
  [[nodiscard]] const VectorStore* store() const { return store_.get(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  /// The parts as the core takes them, with positions; `next` becomes the position after them.
  static std::vector<VectorBatch> Place(std::span<const InsertPart> parts, std::uint64_t* next);

  std::unique_ptr<VectorStore> store_;
  FloatRows given_vectors_;  // Or an empty one.
  IvfPqMemIndex index_;
  std::mutex writer_;
  std::uint64_t next_row_position_ = 0;  // Under writer_.
  mutable Counts counts_;
};

}  // namespace forebay::python
