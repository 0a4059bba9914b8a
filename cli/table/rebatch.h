// The rows of a file in batches of another size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "forebay/status.h"
#include "record_file.h"

namespace forebay::cli {

class Rebatcher {
 public:
  /// `batch_rows` 0: as they come. `file` is borrowed.
  Rebatcher(RecordFile* file, std::size_t batch_rows)
      : file_(file), batch_rows_(static_cast<std::int64_t>(batch_rows)) {}

  /// The next batch, of batch_rows rows but for the last; nullptr after that. Never empty.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();

 private:
  /// A batch of the file that has rows, or nullptr.
  Result<std::shared_ptr<arrow::RecordBatch>> ReadSome();

  RecordFile* file_;
  std::int64_t batch_rows_;
  std::shared_ptr<arrow::RecordBatch> rest_;  // Of the batch that was read last.
};

}  // namespace forebay::cli
