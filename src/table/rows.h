// Rows: the rows of a MemTable as Arrow batches, by ordinal.
//
// Thread safety: immutable; a copy is cheap and keeps the batches alive.
//
// Invariants:
//   1. Batches follow each other without gaps: the first row of one has the ordinal after the last
//      of the one before.
//   2. Small batches are put together as they come: of batches that are no more than twice as large
//      as the one that follows them, fewer than kJoined stand together, unless they have kFullBatch
//      rows or kFullBytes. (Or Arrow cannot put them together: dictionaries with too many words.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "forebay/arrow.h"
#include "forebay/status.h"

namespace arrow {
class Array;
class DataType;
class RecordBatch;
}  // namespace arrow

namespace forebay::table {

struct RowBatch {
  std::uint32_t first_ordinal = 0;
  std::shared_ptr<arrow::RecordBatch> batch;
  ArrowVectors vectors;         ///< Of the vector column.
  std::uint64_t num_bytes = 0;  ///< That the batch and its vectors take.

  [[nodiscard]] std::uint32_t end() const {
    return first_ordinal + static_cast<std::uint32_t>(vectors.view().num_rows);
  }
};

class Rows {
 public:
  static constexpr std::int64_t kFullBatch = 4096;
  static constexpr std::size_t kJoined = 8;
  static constexpr std::uint64_t kFullBytes = std::uint64_t{4} << 20U;

  Rows() = default;

  /// These rows and those of `batches` after them. `vector_column` is its index.
  [[nodiscard]] Result<Rows> With(std::span<const std::shared_ptr<arrow::RecordBatch>> batches,
                                  int vector_column) const;

  [[nodiscard]] std::uint32_t size() const { return batches_.empty() ? 0 : batches_.back()->end(); }
  [[nodiscard]] std::uint64_t num_bytes() const;
  [[nodiscard]] std::span<const std::shared_ptr<const RowBatch>> batches() const {
    return batches_;
  }
  /// The raw vector of a row, as float32.
  [[nodiscard]] const float* vector(std::uint32_t ordinal) const;

  /// One column of the rows with these ordinals, in this order.
  [[nodiscard]] Result<std::shared_ptr<arrow::Array>> Take(
      int column, const std::shared_ptr<arrow::DataType>& type,
      std::span<const std::uint32_t> ordinals) const;

 private:
  /// Appends a batch; joins it to those before it when there are enough of its size.
  Status Append(std::shared_ptr<arrow::RecordBatch> batch, int vector_column);
  [[nodiscard]] const RowBatch& BatchOf(std::uint32_t ordinal) const;

  std::vector<std::shared_ptr<const RowBatch>> batches_;
};

}  // namespace forebay::table
