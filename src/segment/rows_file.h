// RowsFile: the rows of a generation as an Arrow IPC file, read where it is mapped.
//
// Thread safety: pure functions.
//
// Invariants:
//   1. All batches but the last have the same number of rows: kBatchRows, or a smaller power of two
//      where rows are wide; the last has no more.
//   2. Buffers are not compressed and begin at multiples of 8 bytes, the first of a batch at one of
//      64, so a batch that was read uses the mapping's memory, and keeps the mapping. (Dictionaries
//      that grew are put together, in memory of their own.) In full batches, columns of fixed-width
//      values are multiples of 64 bytes, too: vectors with no others before them begin at one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "segment/segment_file.h"
#include "storage/directory.h"

namespace arrow {
class RecordBatch;
class Schema;
}  // namespace arrow

namespace forebay::segment {

inline constexpr std::int64_t kBatchRows = 4096;
/// Rows are wide when, of the first ones, kBatchRows have more.
inline constexpr std::int64_t kBatchBytes = std::int64_t{4} << 20U;

/// The next rows of a file; nullptr after the last.
using NextBatch = std::function<Result<std::shared_ptr<arrow::RecordBatch>>()>;

/// Writes the rows of batches of any size, of which it holds no more than it needs for its next
/// one. kInvalidArgument when a batch has another schema (metadata aside), or a column's
/// dictionaries together have more values than its type of index can number.
Result<FileSum> WriteRows(storage::Directory* directory, const std::string& name,
                          const std::shared_ptr<arrow::Schema>& schema, const NextBatch& next);

/// What WriteRows wrote. kCorruption when it cannot be read, has another schema (metadata aside),
/// or the batches are not valid: by their sizes and offsets, and `validate_in_full` by all values.
Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> ReadRows(
    std::shared_ptr<const storage::Mapping> mapping, const arrow::Schema& expected,
    bool validate_in_full);

}  // namespace forebay::segment
