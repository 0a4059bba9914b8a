#include "table/rows.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "table/arrow_status.h"

namespace forebay::table {
namespace {

Result<std::uint64_t> SizeOf(const arrow::RecordBatch& batch) {
  const auto size = arrow::util::ReferencedBufferSize(batch);
  if (!size.ok()) {
    return FromArrow(size.status());
  }
  return static_cast<std::uint64_t>(*size);
}

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

/// nullptr when Arrow cannot put them together.
Result<std::shared_ptr<arrow::RecordBatch>> Join(const Batches& batches) {
  auto joined = arrow::ConcatenateRecordBatches(batches);
  if (joined.status().IsOutOfMemory()) {
    return FromArrow(joined.status());
  }
  return joined.ok() ? *std::move(joined) : nullptr;
}

}  // namespace

Result<Rows> Rows::With(std::span<const std::shared_ptr<arrow::RecordBatch>> batches,
                        int vector_column) const {
  Rows more(*this);
  while (!batches.empty()) {
    // As many as make a full batch, at once.
    Batches together;
    std::int64_t num_rows = 0;
    std::uint64_t num_bytes = 0;
    while (!batches.empty() && num_rows < kFullBatch && num_bytes < kFullBytes) {
      const auto size = SizeOf(*batches.front());
      if (!size.ok()) {
        return size.status();
      }
      if (!together.empty() && num_bytes + *size > kFullBytes) {
        break;
      }
      num_rows += batches.front()->num_rows();
      num_bytes += *size;
      together.push_back(batches.front());
      batches = batches.subspan(1);
    }
    const auto joined = together.size() == 1 ? together.front() : Join(together);
    if (!joined.ok()) {
      return joined.status();
    }
    for (const auto& batch : *joined == nullptr ? together : Batches{*joined}) {
      if (Status appended = more.Append(batch, vector_column); !appended.ok()) {
        return appended;
      }
    }
  }
  return more;
}

Status Rows::Append(std::shared_ptr<arrow::RecordBatch> batch, int vector_column) {
  for (;;) {
    auto num_bytes = SizeOf(*batch);
    if (!num_bytes.ok()) {
      return num_bytes.status();
    }
    Batches together;
    std::int64_t num_rows = batch->num_rows();
    for (std::size_t i = batches_.size(); i > 0; --i) {
      const RowBatch& before = *batches_[i - 1];
      if (num_rows >= kFullBatch || before.batch->num_rows() > 2 * batch->num_rows() ||
          before.num_bytes + *num_bytes > kFullBytes) {
        break;
      }
      num_rows += before.batch->num_rows();
      *num_bytes += before.num_bytes;
      together.push_back(before.batch);
    }
    if (together.size() + 1 < kJoined) {
      break;
    }
    std::reverse(together.begin(), together.end());
    together.push_back(batch);
    auto joined = Join(together);
    if (!joined.ok()) {
      return joined.status();
    }
    if (*joined == nullptr) {
      break;
    }
    batch = *std::move(joined);
    for (std::size_t i = 1; i < together.size(); ++i) {
      num_bytes_ -= batches_.back()->num_bytes;
      batches_.pop_back();
    }
  }
  const auto num_bytes = SizeOf(*batch);
  if (!num_bytes.ok()) {
    return num_bytes.status();
  }
  auto vectors = BatchVectors::OfMemTable(batch->column(vector_column));
  if (!vectors.ok()) {
    return vectors.status();
  }
  const std::uint64_t in_memory = *num_bytes + vectors->num_bytes();
  const auto num_rows = static_cast<std::uint32_t>(batch->num_rows());
  num_bytes_ += in_memory;
  batches_.push_back(
      std::make_shared<const RowBatch>(RowBatch{.first_ordinal = size(),
                                                .num_rows = num_rows,
                                                .batch = std::move(batch),
                                                .vectors = *std::move(vectors),
                                                .num_bytes = in_memory,
                                                .first_row_id = first_row_id_ + size()}));
  return Status::Ok();
}

Result<Rows> Rows::OfGeneration(std::span<const std::shared_ptr<arrow::RecordBatch>> batches,
                                int vector_column) {
  Rows rows;
  std::uint64_t next_row_id = 0;
  for (const auto& batch : batches) {
    const int last = batch->num_columns() - 1;
    const auto& row_ids = static_cast<const arrow::UInt64Array&>(*batch->column(last));
    if (row_ids.length() == 0) {
      return Status::Corruption("a batch of its rows is empty");
    }
    for (std::int64_t i = 0; i < row_ids.length(); ++i) {
      if (row_ids.Value(i) < next_row_id) {
        return Status::Corruption(
            fmt::format("_rowid {} comes after {}", row_ids.Value(i), next_row_id - 1));
      }
      next_row_id = row_ids.Value(i) + 1;
    }
    auto without = batch->RemoveColumn(last);
    if (!without.ok()) {
      return FromArrow(without.status());
    }
    auto vectors = BatchVectors::OfGeneration((*without)->column(vector_column));
    if (!vectors.ok()) {
      return vectors.status();
    }
    rows.batches_.push_back(std::make_shared<const RowBatch>(
        RowBatch{.first_ordinal = rows.size(),
                 .num_rows = static_cast<std::uint32_t>(batch->num_rows()),
                 .batch = *std::move(without),
                 .vectors = *std::move(vectors),
                 .first_row_id = row_ids.Value(0),
                 .row_ids = row_ids.raw_values(),
                 .row_id_array = batch->column(last)}));
  }
  rows.first_row_id_ = rows.batches_.empty() ? 0 : rows.batches_.front()->first_row_id;
  return rows;
}

const RowBatch& Rows::BatchOf(std::uint32_t ordinal) const {
  const auto after = std::upper_bound(
      batches_.begin(), batches_.end(), ordinal,
      [](std::uint32_t row, const auto& batch) { return row < batch->first_ordinal; });
  return **(after - 1);
}

const float* Rows::Vector(std::uint32_t ordinal, float* room) const {
  const RowBatch& batch = BatchOf(ordinal);
  return batch.vectors.Row(ordinal - batch.first_ordinal, room);
}

std::uint64_t Rows::row_id(std::uint32_t ordinal) const {
  const RowBatch& batch = BatchOf(ordinal);
  return batch.row_id(ordinal - batch.first_ordinal);
}

std::optional<std::uint32_t> Rows::Find(std::uint64_t row_id) const {
  const auto after = std::upper_bound(
      batches_.begin(), batches_.end(), row_id,
      [](std::uint64_t id, const auto& batch) { return id < batch->first_row_id; });
  if (after == batches_.begin()) {
    return std::nullopt;
  }
  const RowBatch& batch = **(after - 1);
  const std::uint32_t num_rows = batch.end() - batch.first_ordinal;
  if (batch.row_ids == nullptr) {
    const std::uint64_t i = row_id - batch.first_row_id;
    return i < num_rows ? std::optional(batch.first_ordinal + static_cast<std::uint32_t>(i))
                        : std::nullopt;
  }
  const std::uint64_t* const end = batch.row_ids + num_rows;
  const std::uint64_t* const found = std::lower_bound(batch.row_ids, end, row_id);
  return found != end && *found == row_id
             ? std::optional(batch.first_ordinal +
                             static_cast<std::uint32_t>(found - batch.row_ids))
             : std::nullopt;
}

}  // namespace forebay::table
