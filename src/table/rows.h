// Rows: the rows of a MemTable or a generation as Arrow batches, by ordinal.
//
// Thread safety: immutable; a copy is cheap and keeps the batches alive.
//
// Invariants:
//   1. Batches follow each other without gaps: the first row of one has the ordinal after the last
//      of the one before.
//   2. `_rowid`s ascend with the ordinals; in a MemTable without gaps.
//   3. In a MemTable, small batches are put together as they come: of batches that are no more than
//      twice as large as the one that follows them, fewer than kJoined stand together, unless they
//      have kFullBatch rows or kFullBytes. (Or Arrow cannot put them together: dictionaries with
//      too many words.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "forebay/status.h"
#include "table/batch_vectors.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace forebay::table {

struct RowBatch {
  std::uint32_t first_ordinal = 0;
  std::uint32_t num_rows = 0;
  std::shared_ptr<arrow::RecordBatch> batch;
  BatchVectors vectors;         ///< Of the vector column.
  std::uint64_t num_bytes = 0;  ///< Of memory that the batch and its vectors take.
  std::uint64_t first_row_id = 0;
  /// Of each row; nullptr: they follow first_row_id.
  const std::uint64_t* row_ids = nullptr;
  std::shared_ptr<arrow::Array> row_id_array = nullptr;  ///< Keeps row_ids.

  [[nodiscard]] std::uint32_t end() const { return first_ordinal + num_rows; }
  /// `i` counts from the batch's first row.
  [[nodiscard]] std::uint64_t row_id(std::uint32_t i) const {
    return row_ids == nullptr ? first_row_id + i : row_ids[i];
  }
};

class Rows {
 public:
  static constexpr std::int64_t kFullBatch = 4096;
  static constexpr std::size_t kJoined = 8;
  static constexpr std::uint64_t kFullBytes = std::uint64_t{4} << 20U;

  /// Of an empty MemTable, whose first row will have this `_rowid`.
  explicit Rows(std::uint64_t first_row_id = 0) : first_row_id_(first_row_id) {}
  /// Of a generation: `batches` of its file, mapped, with `_rowid` as an additional last column.
  /// kCorruption when `_rowid`s do not ascend.
  static Result<Rows> OfGeneration(std::span<const std::shared_ptr<arrow::RecordBatch>> batches,
                                   int vector_column);

  /// These rows and those of `batches` after them. `vector_column` is its index.
  [[nodiscard]] Result<Rows> With(std::span<const std::shared_ptr<arrow::RecordBatch>> batches,
                                  int vector_column) const;

  [[nodiscard]] std::uint32_t size() const { return batches_.empty() ? 0 : batches_.back()->end(); }
  /// Of memory.
  [[nodiscard]] std::uint64_t num_bytes() const { return num_bytes_; }
  /// The first row's, or, where there is none yet, what it will be.
  [[nodiscard]] std::uint64_t first_row_id() const { return first_row_id_; }
  [[nodiscard]] std::uint64_t row_id(std::uint32_t ordinal) const;
  [[nodiscard]] std::optional<std::uint32_t> Find(std::uint64_t row_id) const;
  [[nodiscard]] std::span<const std::shared_ptr<const RowBatch>> batches() const {
    return batches_;
  }
  /// Whether Vector uses its room.
  [[nodiscard]] bool converts_when_read() const {
    return !batches_.empty() && batches_.front()->vectors.converts_when_read();
  }
  /// The raw vector of a row, as float32; maybe in `room`, which has space for it.
  [[nodiscard]] const float* Vector(std::uint32_t ordinal, float* room) const;

  /// The batch that has this row.
  [[nodiscard]] const RowBatch& BatchOf(std::uint32_t ordinal) const;

 private:
  /// Appends a batch; joins it to those before it when there are enough of its size.
  Status Append(std::shared_ptr<arrow::RecordBatch> batch, int vector_column);

  std::uint64_t first_row_id_;
  std::uint64_t num_bytes_ = 0;  // Of all batches.
  std::vector<std::shared_ptr<const RowBatch>> batches_;
};

}  // namespace forebay::table
