// BatchVectors: the vectors of a batch of rows, as float32.
//
// Thread safety: immutable; shared by pointers.
//
// Invariants:
//   1. What is float32 is used where it lies, in memory or in a mapped file. Another type (float16,
//      float64) is converted: once, for a MemTable, where each row is encoded, searched and flushed
//      soon; whenever it is read, for a generation, which may be larger than the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "forebay/arrow.h"
#include "forebay/status.h"

namespace arrow {
class Array;
}  // namespace arrow

namespace forebay::table {

class BatchVectors {
 public:
  /// kInvalidArgument as ArrowVectors::Make.
  static Result<BatchVectors> OfMemTable(std::shared_ptr<arrow::Array> column);
  /// `column` is valid as arrow::Array::Validate says, and has no nulls.
  static Result<BatchVectors> OfGeneration(std::shared_ptr<arrow::Array> column);

  /// All rows: shared, or converted for whoever calls. Throws std::bad_alloc.
  [[nodiscard]] Result<std::shared_ptr<const ArrowVectors>> All() const;
  /// Row i: where it lies, or converted, in `room`, which has space for it.
  [[nodiscard]] const float* Row(std::size_t i, float* room) const;

  /// Whether Row uses its room.
  [[nodiscard]] bool converts_when_read() const { return all_ == nullptr; }
  /// Of memory, besides the column.
  [[nodiscard]] std::uint64_t num_bytes() const;

 private:
  BatchVectors(std::shared_ptr<arrow::Array> column, std::shared_ptr<const ArrowVectors> all)
      : column_(std::move(column)), all_(std::move(all)) {}

  std::shared_ptr<arrow::Array> column_;
  std::shared_ptr<const ArrowVectors> all_;  // nullptr: converted when read, from
  const std::uint8_t* stored_ = nullptr;     // here on,
  bool is_half_ = false;                     // float16 or float64,
  std::size_t dim_ = 0;                      // so many a row.
};

}  // namespace forebay::table
