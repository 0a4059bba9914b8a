#include "table/rows.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <utility>

#include "table/arrow_status.h"
#include "table/row_runs.h"

namespace forebay::table {
namespace {

Result<std::uint64_t> SizeOf(const arrow::RecordBatch& batch) {
  const auto size = arrow::util::ReferencedBufferSize(batch);
  if (!size.ok()) {
    return FromArrow(size.status());
  }
  return static_cast<std::uint64_t>(*size);
}

Result<std::shared_ptr<const RowBatch>> MakeBatch(std::uint32_t first_ordinal,
                                                  std::shared_ptr<arrow::RecordBatch> batch,
                                                  int vector_column) {
  Result<ArrowVectors> vectors = ArrowVectors::Make(*batch->column(vector_column));
  if (!vectors.ok()) {
    return vectors.status();
  }
  const auto num_bytes = SizeOf(*batch);
  if (!num_bytes.ok()) {
    return num_bytes.status();
  }
  const VectorView view = vectors->view();
  const std::size_t converted = vectors->zero_copy() ? 0 : view.num_rows * view.dim * sizeof(float);
  return std::make_shared<const RowBatch>(
      RowBatch{first_ordinal, std::move(batch), *std::move(vectors), *num_bytes + converted});
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
    for (auto before = batches_.rbegin(); before != batches_.rend(); ++before) {
      const std::int64_t rows_before = (*before)->batch->num_rows();
      if (num_rows >= kFullBatch || rows_before > 2 * batch->num_rows() ||
          (*before)->num_bytes + *num_bytes > kFullBytes) {
        break;
      }
      num_rows += rows_before;
      *num_bytes += (*before)->num_bytes;
      together.push_back((*before)->batch);
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
    batches_.resize(batches_.size() + 1 - together.size());
  }
  auto made = MakeBatch(size(), std::move(batch), vector_column);
  if (!made.ok()) {
    return made.status();
  }
  batches_.push_back(*std::move(made));
  return Status::Ok();
}

std::uint64_t Rows::num_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& batch : batches_) {
    bytes += batch->num_bytes;
  }
  return bytes;
}

const RowBatch& Rows::BatchOf(std::uint32_t ordinal) const {
  const auto after = std::upper_bound(
      batches_.begin(), batches_.end(), ordinal,
      [](std::uint32_t row, const auto& batch) { return row < batch->first_ordinal; });
  return **(after - 1);
}

const float* Rows::vector(std::uint32_t ordinal) const {
  const RowBatch& batch = BatchOf(ordinal);
  return batch.vectors.view().row(ordinal - batch.first_ordinal);
}

Result<std::shared_ptr<arrow::Array>> Rows::Take(int column,
                                                 const std::shared_ptr<arrow::DataType>& type,
                                                 std::span<const std::uint32_t> ordinals) const {
  std::vector<ArrayRun> runs;
  std::vector<std::shared_ptr<arrow::Array>> arrays;  // Keeps those of the runs.
  for (std::size_t i = 0; i < ordinals.size();) {
    const RowBatch& batch = BatchOf(ordinals[i]);
    std::size_t end = i + 1;  // Of the rows that follow each other there, too.
    while (end < ordinals.size() && ordinals[end] == ordinals[end - 1] + 1 &&
           ordinals[end] < batch.end()) {
      ++end;
    }
    arrays.push_back(batch.batch->column(column));
    runs.push_back({arrays.back().get(),
                    {ordinals[i] - batch.first_ordinal, static_cast<std::int64_t>(end - i)}});
    i = end;
  }
  return TakeRuns(type, runs);
}

}  // namespace forebay::table
