#include "table/rebatch.h"

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include <utility>

#include "arrow_input.h"

namespace forebay::cli {

Result<std::shared_ptr<arrow::RecordBatch>> Rebatcher::ReadSome() {
  while (true) {
    auto batch = file_->Next();
    if (!batch.ok() || *batch == nullptr || (*batch)->num_rows() > 0) {
      return batch;
    }
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> Rebatcher::Next() {
  if (batch_rows_ == 0) {
    return ReadSome();
  }
  arrow::RecordBatchVector parts;
  for (std::int64_t missing = batch_rows_; missing > 0;) {
    if (rest_ == nullptr) {
      auto more = ReadSome();
      if (!more.ok()) {
        return more;
      }
      if (*more == nullptr) {
        break;
      }
      rest_ = *std::move(more);
    }
    parts.push_back(rest_->Slice(0, missing));
    missing -= parts.back()->num_rows();
    rest_ = parts.back()->num_rows() < rest_->num_rows() ? rest_->Slice(parts.back()->num_rows())
                                                         : nullptr;
  }
  if (parts.size() < 2) {
    return parts.empty() ? nullptr : parts.front();
  }
  auto whole = arrow::ConcatenateRecordBatches(parts);
  if (!whole.ok()) {
    return FromArrow(file_->path(), whole.status());
  }
  return *std::move(whole);
}

}  // namespace forebay::cli
