// BatchCutter: batches of any size in, batches of one size out.
//
// Thread safety: one thread.
//
// Invariants:
//   1. Rows come out in the order in which they went in, with one dictionary for each
//      dictionary-encoded part of a column, which only grows.
//   2. How many rows a batch has is settled with the first one: kBatchRows, or as many fewer, a
//      power of two, as make it no larger than kBatchBytes.
#pragma once

#include <arrow/result.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "segment/dictionaries.h"

namespace arrow {
class Array;
class RecordBatch;
class Schema;
}  // namespace arrow

namespace forebay::segment {

class BatchCutter {
 public:
  explicit BatchCutter(std::shared_ptr<arrow::Schema> schema);

  /// Invalid when it has another schema, metadata aside.
  arrow::Status Add(const arrow::RecordBatch& batch);

  /// The next batch; nullptr when there are not enough rows for one, or, `at_end`, none.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next(bool at_end);

 private:
  /// The first rows of those that wait, put together.
  [[nodiscard]] arrow::Result<std::shared_ptr<arrow::RecordBatch>> First(std::int64_t count) const;
  [[nodiscard]] arrow::Result<std::shared_ptr<arrow::Array>> FirstOf(int column,
                                                                     std::int64_t count) const;
  [[nodiscard]] arrow::Result<std::int64_t> ChooseRows() const;
  void Drop(std::int64_t count);

  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<ColumnDictionaries> dictionaries_;  ///< For each column.
  std::deque<std::shared_ptr<arrow::RecordBatch>> waiting_;
  std::int64_t num_waiting_ = 0;  ///< Rows.
  std::int64_t batch_rows_ = 0;   ///< 0: not settled.
};

}  // namespace forebay::segment
