#include "segment/row_batches.h"

#include <arrow/array/array_base.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "segment/rows_file.h"

namespace forebay::segment {

using BatchResult = arrow::Result<std::shared_ptr<arrow::RecordBatch>>;

BatchCutter::BatchCutter(std::shared_ptr<arrow::Schema> schema)
    : schema_(std::move(schema)), dictionaries_(static_cast<std::size_t>(schema_->num_fields())) {}

arrow::Status BatchCutter::Add(const arrow::RecordBatch& batch) {
  if (!batch.schema()->Equals(*schema_, /*check_metadata=*/false)) {
    return arrow::Status::Invalid("expected rows of the schema\n", schema_->ToString(), "\ngot\n",
                                  batch.schema()->ToString());
  }
  if (batch.num_rows() == 0) {
    return arrow::Status::OK();
  }
  std::vector<std::shared_ptr<arrow::ArrayData>> columns;
  for (int i = 0; i < batch.num_columns(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto column,
                          dictionaries_[static_cast<std::size_t>(i)].Add(*batch.column_data(i)));
    columns.push_back(std::move(column));
  }
  waiting_.push_back(arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns)));
  num_waiting_ += batch.num_rows();
  return arrow::Status::OK();
}

BatchResult BatchCutter::Next(bool at_end) {
  const std::int64_t enough = batch_rows_ == 0 ? kBatchRows : batch_rows_;
  if (num_waiting_ == 0 || (num_waiting_ < enough && !at_end)) {
    return nullptr;
  }
  if (batch_rows_ == 0) {
    ARROW_ASSIGN_OR_RAISE(batch_rows_, ChooseRows());
  }
  const std::int64_t count = std::min(num_waiting_, batch_rows_);
  ARROW_ASSIGN_OR_RAISE(auto batch, First(count));
  Drop(count);
  return batch;
}

arrow::Result<std::int64_t> BatchCutter::ChooseRows() const {
  // Batch by batch: together they may be more than Arrow can put together.
  std::int64_t count = 0;
  std::int64_t num_bytes = 0;
  for (auto batch = waiting_.begin(); batch != waiting_.end() && count < kBatchRows; ++batch) {
    const std::int64_t taken = std::min(kBatchRows - count, (*batch)->num_rows());
    std::int64_t size = 0;
    ARROW_RETURN_NOT_OK(arrow::ipc::GetRecordBatchSize(*(*batch)->Slice(0, taken), &size));
    count += taken;
    num_bytes += size;
  }
  std::int64_t rows = kBatchRows;
  while (rows > 1 && num_bytes / count * rows > kBatchBytes) {
    rows /= 2;
  }
  return rows;
}

BatchResult BatchCutter::First(std::int64_t count) const {
  arrow::ArrayVector columns;
  for (int i = 0; i < schema_->num_fields(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto column, FirstOf(i, count));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema_, count, std::move(columns));
}

arrow::Result<std::shared_ptr<arrow::Array>> BatchCutter::FirstOf(int column,
                                                                  std::int64_t count) const {
  const ColumnDictionaries& dictionaries = dictionaries_[static_cast<std::size_t>(column)];
  arrow::ArrayVector parts;
  for (auto batch = waiting_.begin(); count > 0; ++batch) {
    ARROW_ASSIGN_OR_RAISE(const auto data, dictionaries.Renew(*(*batch)->column_data(column)));
    const std::int64_t taken = std::min(count, (*batch)->num_rows());
    parts.push_back(arrow::MakeArray(data)->Slice(0, taken));
    count -= taken;
  }
  const bool has_views = HasViews(*schema_->field(column)->type());
  if (parts.size() == 1 && !has_views) {
    return parts[0];
  }
  // Of lists it takes just the elements that are used.
  ARROW_ASSIGN_OR_RAISE(const auto joined, arrow::Concatenate(parts));
  ARROW_ASSIGN_OR_RAISE(auto data, dictionaries.Renew(*joined->data()));
  if (has_views) {
    ARROW_ASSIGN_OR_RAISE(data, WithOwnViews(*data));
  }
  return arrow::MakeArray(data);
}

void BatchCutter::Drop(std::int64_t count) {
  num_waiting_ -= count;
  while (count > 0) {
    const std::int64_t dropped = std::min(count, waiting_.front()->num_rows());
    auto rest = waiting_.front()->Slice(dropped);
    waiting_.pop_front();
    if (rest->num_rows() > 0) {
      waiting_.push_front(std::move(rest));
    }
    count -= dropped;
  }
}

}  // namespace forebay::segment
