// The readers behind RecordFile, one for each format.
#pragma once

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "arrow_input.h"
#include "record_file.h"

namespace forebay::cli {

class RecordFile::Source {
 public:
  explicit Source(std::filesystem::path path) : path_(std::move(path)) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  [[nodiscard]] virtual std::optional<std::uint64_t> num_rows() const { return std::nullopt; }

  virtual Status Select(std::optional<int> column) = 0;
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadNext() = 0;

 protected:
  void set_schema(std::shared_ptr<arrow::Schema> schema) { schema_ = std::move(schema); }

 private:
  std::filesystem::path path_;
  std::shared_ptr<arrow::Schema> schema_;
};

Result<std::unique_ptr<RecordFile::Source>> OpenIpc(const std::filesystem::path& path);
Result<std::unique_ptr<RecordFile::Source>> OpenParquet(const std::filesystem::path& path);
Result<std::unique_ptr<RecordFile::Source>> OpenStandardInput();

}  // namespace forebay::cli
