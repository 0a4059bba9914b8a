#include "table/row_runs.h"

#include <arrow/array/array_base.h>
#include <arrow/array/builder_base.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <utility>

#include "table/arrow_status.h"

namespace forebay::table {
namespace {

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;

ArrayResult Concatenated(std::span<const ArrayRun> runs) {
  arrow::ArrayVector slices;
  slices.reserve(runs.size());
  for (const ArrayRun& run : runs) {
    slices.push_back(run.array->Slice(run.rows.first, run.rows.count));
  }
  return arrow::Concatenate(slices);
}

/// Only of the values that are taken, so that a dictionary has no more words than its rows do.
ArrayResult Built(const std::shared_ptr<arrow::DataType>& type, std::span<const ArrayRun> runs) {
  ARROW_ASSIGN_OR_RAISE(auto builder, arrow::MakeBuilderExactIndex(type));
  for (const ArrayRun& run : runs) {
    ARROW_RETURN_NOT_OK(
        builder->AppendArraySlice(*run.array->data(), run.rows.first, run.rows.count));
  }
  return builder->Finish();
}

ArrayResult Take(const std::shared_ptr<arrow::DataType>& type, std::span<const ArrayRun> runs) {
  if (runs.empty()) {
    return arrow::MakeEmptyArray(type);
  }
  if (runs.size() == 1) {
    return runs[0].array->Slice(runs[0].rows.first, runs[0].rows.count);
  }
  if (type->id() == arrow::Type::DICTIONARY) {
    ArrayResult built = Built(type, runs);
    if (built.ok() || !built.status().IsNotImplemented()) {
      return built;
    }
  }
  return Concatenated(runs);
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> TakeRuns(const std::shared_ptr<arrow::DataType>& type,
                                               std::span<const ArrayRun> runs) {
  auto taken = Take(type, runs);
  if (!taken.ok()) {
    return FromArrow(taken.status());
  }
  return *std::move(taken);
}

Result<std::shared_ptr<arrow::RecordBatch>> KeepRuns(const arrow::RecordBatch& batch,
                                                     std::span<const RowRun> runs) {
  std::int64_t num_rows = 0;
  for (const RowRun& run : runs) {
    num_rows += run.count;
  }
  arrow::ArrayVector columns;
  for (const auto& column : batch.columns()) {
    std::vector<ArrayRun> of_column;
    of_column.reserve(runs.size());
    for (const RowRun& run : runs) {
      of_column.push_back({column.get(), run});
    }
    auto kept = TakeRuns(column->type(), of_column);
    if (!kept.ok()) {
      return kept.status();
    }
    columns.push_back(*std::move(kept));
  }
  return arrow::RecordBatch::Make(batch.schema(), num_rows, std::move(columns));
}

}  // namespace forebay::table
