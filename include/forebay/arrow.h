// Arrow in, Arrow out: record batches for IvfPqMemIndex.
//
// Thread safety: as IvfPqMemIndex's own methods: one writer, any number of readers. Errors are
// forebay::Status; nothing here throws or returns an arrow::Status.
//
// A vector column is a fixed_size_list of float32 (used in place, without a copy, unless there are
// nulls), float16 or float64 (converted; a float64 beyond float32's range is a bad vector). Null
// rows, and rows with a null element, are bad vectors: the bytes under a null are never looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "forebay/index.h"
#include "forebay/status.h"

namespace arrow {
class Array;
class Buffer;
class RecordBatch;
}  // namespace arrow

namespace forebay {

/// A record batch of a MemTable: its row i has position first_row_position + i.
struct StoredBatch {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::uint64_t first_row_position = 0;
};

/// Inserts the column that the index's options name; row i gets position first_row_position + i. A
/// batch without that column is skipped (an empty report). kInvalidArgument when the column is not
/// a fixed_size_list of floats of the model's dimension or is there twice, and as
/// IvfPqMemIndex::Insert.
Result<InsertReport> Insert(IvfPqMemIndex& index, const arrow::RecordBatch& batch,
                            std::uint64_t first_row_position);

/// The same for one vector array, whatever its column was called.
Result<InsertReport> InsertArray(IvfPqMemIndex& index, const arrow::Array& vectors,
                                 std::uint64_t first_row_position);

/// The same for many stored batches at once: all become visible together, or none.
Result<InsertReport> InsertBatches(IvfPqMemIndex& index, std::span<const StoredBatch> batches,
                                   std::size_t num_threads = 1);

/// The rows of a vector array as float32: the array's own memory, shared, where it is float32
/// without nulls, else a converted copy, in which rows with a null are NaN.
class ArrowVectors {
 public:
  /// kInvalidArgument when `vectors` is not a fixed_size_list of float16, float32 or float64 (an
  /// extension type over one will do).
  static Result<ArrowVectors> Make(const arrow::Array& vectors);

  // Move-only: view() may point into the object's own memory.
  ArrowVectors(ArrowVectors&&) noexcept = default;
  ArrowVectors& operator=(ArrowVectors&&) noexcept = default;
  ~ArrowVectors() = default;

  /// Lives as long as this object, and as what it is moved into.
  [[nodiscard]] VectorView view() const { return view_; }
  /// The same as a batch for IvfPqMemIndex::Insert, with validity.
  [[nodiscard]] VectorBatch batch(std::uint64_t first_row_position) const;
  /// Whether view() points into the array's own memory.
  [[nodiscard]] bool zero_copy() const { return borrowed_ != nullptr; }

 private:
  ArrowVectors() = default;

  VectorView view_;
  std::shared_ptr<arrow::Buffer> borrowed_;  // Keeps the memory of view_, if not converted_ does.
  std::vector<float> converted_;
  std::vector<std::uint8_t> validity_;  // A bit for each row; empty: no row is null.
};

using PartitionBatch = std::pair<std::uint32_t, std::shared_ptr<arrow::RecordBatch>>;

/// One (partition, batch) for each partition that is not empty, all from one snapshot. Schema:
/// `_rowid` uint64 not null, `__pq_code` fixed_size_list<uint8 not null>[code_len] not null.
Result<std::vector<PartitionBatch>> ToPartitionBatches(const IvfPqMemIndex& index);

/// The same with `_rowid` = total_rows - position - 1, as a flush that writes rows newest first
/// needs it. kInvalidArgument when a position is not below total_rows.
Result<std::vector<PartitionBatch>> ToPartitionBatchesReversed(const IvfPqMemIndex& index,
                                                               std::uint64_t total_rows);

}  // namespace forebay
