// What a table writes into its log: rows that were put, and rows that died.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "forebay/status.h"

namespace arrow {
class Buffer;
class RecordBatch;
}  // namespace arrow

namespace forebay::table {

/// The type of a log's record.
enum class LogRecordType : std::uint32_t {
  kPut = 1,     ///< Payload: an Arrow IPC stream of one batch; argument: its first `_rowid`.
  kDelete = 2,  ///< Payload: the `_rowid`s (u64) of the rows that die; argument: 0.
};

/// kInvalidArgument when Arrow cannot write the batch.
Result<std::shared_ptr<arrow::Buffer>> EncodePut(const arrow::RecordBatch& batch);

/// The batch, whose memory is the buffer's. kCorruption when it is not a stream of one batch, or,
/// when asked to look (`in_full`), what is in the batch is not what its types say.
Result<std::shared_ptr<arrow::RecordBatch>> DecodePut(std::shared_ptr<arrow::Buffer> payload,
                                                      bool in_full);

std::vector<std::byte> EncodeDelete(std::span<const std::uint64_t> row_ids);

/// kCorruption when these are not whole numbers.
Result<std::vector<std::uint64_t>> DecodeDelete(std::span<const std::byte> payload);

}  // namespace forebay::table
