// An index's codes as record batches, one for each partition.
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/no_throw.h"
#include "forebay/arrow.h"

namespace forebay {
namespace {

std::shared_ptr<arrow::DataType> CodeType(std::size_t code_len) {
  return arrow::fixed_size_list(arrow::field("item", arrow::uint8(), /*nullable=*/false),
                                static_cast<std::int32_t>(code_len));
}

/// Takes over the memory of `entries`.
std::shared_ptr<arrow::RecordBatch> ToBatch(const std::shared_ptr<arrow::Schema>& schema,
                                            PartitionEntries entries) {
  const auto num_rows = static_cast<std::int64_t>(entries.row_positions.size());
  const auto num_bytes = static_cast<std::int64_t>(entries.codes.size());
  auto row_ids = arrow::ArrayData::Make(
      arrow::uint64(), num_rows,
      {nullptr, arrow::Buffer::FromVector(std::move(entries.row_positions))}, /*null_count=*/0);
  auto code_bytes = arrow::ArrayData::Make(
      arrow::uint8(), num_bytes, {nullptr, arrow::Buffer::FromVector(std::move(entries.codes))},
      /*null_count=*/0);
  auto codes = arrow::ArrayData::Make(schema->field(1)->type(), num_rows, {nullptr},
                                      {std::move(code_bytes)}, /*null_count=*/0);
  return arrow::RecordBatch::Make(schema, num_rows, {std::move(row_ids), std::move(codes)});
}

/// Counts the positions back from the end of total_rows rows.
Status Reverse(std::uint64_t total_rows, std::vector<std::uint64_t>& row_positions) {
  for (std::uint64_t& position : row_positions) {
    if (position >= total_rows) {
      return Status::InvalidArgument(
          fmt::format("expected every row position below total_rows ({}), got {}; pass the number "
                      "of rows that are flushed",
                      total_rows, position));
    }
    position = total_rows - position - 1;
  }
  return Status::Ok();
}

Result<std::vector<PartitionBatch>> Export(const IvfPqMemIndex& index,
                                           std::optional<std::uint64_t> reversed_total_rows) {
  const auto schema =
      arrow::schema({arrow::field("_rowid", arrow::uint64(), /*nullable=*/false),
                     arrow::field("__pq_code", CodeType(index.model().pq().code_len()),
                                  /*nullable=*/false)});
  std::vector<PartitionEntries> partitions = index.partitions();
  std::vector<PartitionBatch> batches;
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    if (partitions[p].row_positions.empty()) {
      continue;
    }
    if (reversed_total_rows.has_value()) {
      const Status status = Reverse(*reversed_total_rows, partitions[p].row_positions);
      if (!status.ok()) {
        return status;
      }
    }
    batches.emplace_back(static_cast<std::uint32_t>(p), ToBatch(schema, std::move(partitions[p])));
  }
  return batches;
}

}  // namespace

Result<std::vector<PartitionBatch>> ToPartitionBatches(const IvfPqMemIndex& index) {
  return NoThrow([&] { return Export(index, std::nullopt); });
}

Result<std::vector<PartitionBatch>> ToPartitionBatchesReversed(const IvfPqMemIndex& index,
                                                               std::uint64_t total_rows) {
  return NoThrow([&] { return Export(index, total_rows); });
}

}  // namespace forebay
