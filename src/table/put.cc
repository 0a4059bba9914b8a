// Put: check the batch, drop or fill bad vectors, write the payload, and queue. All of this before
// the queue, so that callers do it at the same time.
#include <arrow/array/array_nested.h>
#include <arrow/array/builder_base.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/buffer.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/no_throw.h"
#include "forebay/arrow.h"
#include "model/vector_check.h"
#include "table/arrow_status.h"
#include "table/log_record.h"
#include "table/row_runs.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::FromArrow;

/// Rows whose vectors are bad, ascending, and what is wrong with the first.
struct BadRows {
  std::vector<std::int64_t> rows;
  std::string reason;
};

Result<BadRows> FindBadRows(const arrow::Array& column, Metric metric) {
  const Result<ArrowVectors> vectors = ArrowVectors::Make(column);
  if (!vectors.ok()) {
    return vectors.status();
  }
  BadRows bad;
  const VectorView view = vectors->view();
  for (std::size_t i = 0; i < view.num_rows; ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const bool null = column.IsNull(row);
    const auto defect =
        null ? model::Defect::kNotFinite : model::CheckVector(metric, view.row(i), view.dim);
    if (defect != model::Defect::kNone) {
      if (bad.rows.empty()) {
        bad.reason = null ? "is null" : model::DefectText(defect);
      }
      bad.rows.push_back(row);
    }
  }
  return bad;
}

/// The batch without these rows.
Result<std::shared_ptr<arrow::RecordBatch>> Without(const arrow::RecordBatch& batch,
                                                    const std::vector<std::int64_t>& rows) {
  auto next = rows.begin();
  const auto keep = [&](std::int64_t i) {
    const bool bad = next != rows.end() && *next == i;
    next += bad ? 1 : 0;
    return !bad;
  };
  return table::KeepRuns(batch, table::RunsWhere(batch.num_rows(), keep));
}

/// One vector of this value in every dimension.
arrow::Result<std::shared_ptr<arrow::Array>> FillVector(
    float value, const std::shared_ptr<arrow::DataType>& type) {
  const auto dim = static_cast<const arrow::FixedSizeListType&>(*type).list_size();
  arrow::FloatBuilder builder;
  ARROW_RETURN_NOT_OK(
      builder.AppendValues(std::vector<float>(static_cast<std::size_t>(dim), value)));
  ARROW_ASSIGN_OR_RAISE(auto elements, builder.Finish());
  ARROW_ASSIGN_OR_RAISE(auto vector, arrow::FixedSizeListArray::FromArrays(elements, dim));
  return arrow::compute::Cast(*vector, type);
}

/// The batch with the fill vector in these rows.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> Filled(const arrow::RecordBatch& batch,
                                                          int column, float value,
                                                          const std::vector<std::int64_t>& rows) {
  const auto& field = batch.schema()->field(column);
  ARROW_ASSIGN_OR_RAISE(const auto fill, FillVector(value, field->type()));
  ARROW_ASSIGN_OR_RAISE(auto builder, arrow::MakeBuilder(field->type()));
  const arrow::ArrayData& vectors = *batch.column_data(column);
  std::int64_t next = 0;
  for (const std::int64_t row : rows) {
    ARROW_RETURN_NOT_OK(builder->AppendArraySlice(vectors, next, row - next));
    ARROW_RETURN_NOT_OK(builder->AppendArraySlice(*fill->data(), 0, 1));
    next = row + 1;
  }
  ARROW_RETURN_NOT_OK(builder->AppendArraySlice(vectors, next, batch.num_rows() - next));
  ARROW_ASSIGN_OR_RAISE(auto filled, builder->Finish());
  return batch.SetColumn(column, field, filled);
}

/// The rows that will be stored, all of them good. Counts those that were not.
Result<std::shared_ptr<arrow::RecordBatch>> GoodRows(std::shared_ptr<arrow::RecordBatch> batch,
                                                     int vector_column, Metric metric,
                                                     const TableOptions& options,
                                                     PutReport* report) {
  const auto bad = FindBadRows(*batch->column(vector_column), metric);
  if (!bad.ok()) {
    return bad.status();
  }
  if (bad->rows.empty()) {
    return batch;
  }
  if (options.on_bad_vectors == OnBadVectors::kError) {
    return Status::InvalidArgument(fmt::format(
        "the vector of row {} {}; nothing was written (on_bad_vectors can drop or fill such rows)",
        bad->rows.front(), bad->reason));
  }
  const bool drop = options.on_bad_vectors == OnBadVectors::kDrop;
  (drop ? report->num_dropped : report->num_filled) = bad->rows.size();
  if (drop) {
    return Without(*batch, bad->rows);
  }
  auto filled = Filled(*batch, vector_column, options.fill_value, bad->rows);
  if (!filled.ok()) {
    return FromArrow(filled.status());
  }
  return *std::move(filled);
}

}  // namespace

Result<PutReport> Table::Impl::Put(const arrow::RecordBatch& batch) {
  return NoThrow([&]() -> Result<PutReport> {
    if (Status valid = FromArrow(batch.Validate()); !valid.ok()) {
      return valid;
    }
    auto rows = schema_.Conform(batch);
    if (!rows.ok()) {
      return rows.status();
    }
    Write write;
    rows = GoodRows(*std::move(rows), schema_.vector_column(), metric_, options_, &write.report);
    if (!rows.ok()) {
      return rows.status();
    }
    write.report.num_rows = static_cast<std::size_t>((*rows)->num_rows());
    auto payload = table::EncodePut(**rows);
    if (!payload.ok()) {
      return payload.status();
    }
    if ((*payload)->size() > std::int64_t{wal::kMaxPayloadBytes}) {
      return Status::CapacityExceeded(fmt::format(
          "a batch may take {} bytes in the log; this one takes {}; put it in smaller ones",
          wal::kMaxPayloadBytes, (*payload)->size()));
    }
    // What is stored is the payload's memory: the caller may do with theirs as they like.
    auto stored = table::DecodePut(*payload, /*in_full=*/true);
    if (!stored.ok()) {
      return Status::InvalidArgument(stored.status().message());
    }
    write.batch = *std::move(stored);
    write.payload = *std::move(payload);
    if (const auto key = schema_.key_column(); key.has_value()) {
      write.keys = table::KeysOf(*write.batch->column(*key));
    }
    if (write.report.num_rows == 0) {
      write.alone = [this] { return CheckWritable(); };
    }
    Status committed = Commit(&write);
    while (committed.ok() && write.needs_room) {
      committed = MakeRoom(write.report.num_rows, static_cast<std::size_t>(write.payload->size()));
      committed = committed.ok() ? Commit(&write) : committed;
    }
    return committed.ok() ? Result<PutReport>(write.report) : Result<PutReport>(committed);
  });
}

}  // namespace forebay
