// Rows out of Arrow arrays: the one way in which a table takes some of its rows.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "forebay/status.h"

namespace arrow {
class Array;
class DataType;
class RecordBatch;
}  // namespace arrow

namespace forebay::table {

/// Rows that follow each other.
struct RowRun {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Those of an array.
struct ArrayRun {
  const arrow::Array* array = nullptr;
  RowRun rows;
};

/// The rows of these runs, all of this type, one run after the other. A single run is a slice,
/// which shares the array's memory. kInvalidArgument when Arrow cannot put them together
/// (dictionaries with more values than their type of index can tell apart).
Result<std::shared_ptr<arrow::Array>> TakeRuns(const std::shared_ptr<arrow::DataType>& type,
                                               std::span<const ArrayRun> runs);

/// The rows of a batch that are in these runs.
Result<std::shared_ptr<arrow::RecordBatch>> KeepRuns(const arrow::RecordBatch& batch,
                                                     std::span<const RowRun> runs);

/// Puts a row, which comes after those of the runs, into the last one or a new one.
inline void AppendRow(std::int64_t row, std::vector<RowRun>* runs) {
  if (!runs->empty() && runs->back().first + runs->back().count == row) {
    ++runs->back().count;
  } else {
    runs->push_back({row, 1});
  }
}

/// Those of the rows below num_rows for which keep(i) is true.
template <typename Keep>
std::vector<RowRun> RunsWhere(std::int64_t num_rows, const Keep& keep) {
  std::vector<RowRun> runs;
  for (std::int64_t i = 0; i < num_rows; ++i) {
    if (keep(i)) {
      AppendRow(i, &runs);
    }
  }
  return runs;
}

}  // namespace forebay::table
