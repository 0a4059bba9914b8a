// Parquet files.
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <exception>
#include <numeric>
#include <vector>

#include "record_sources.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

/// The leaf column that holds the numbers of a top-level column.
Result<int> LeafColumn(const fs::path& path, const parquet::arrow::SchemaField& field) {
  const parquet::arrow::SchemaField* leaf = &field;
  while (!leaf->is_leaf() && leaf->children.size() == 1) {
    leaf = &leaf->children.front();
  }
  if (!leaf->is_leaf()) {
    return CorruptFile(path, "its vector column is stored in more than one part");
  }
  return leaf->column_index;
}

class ParquetSource final : public RecordFile::Source {
 public:
  ParquetSource(const fs::path& path, std::unique_ptr<parquet::arrow::FileReader> file)
      : Source(path), file_(std::move(file)) {}

  Status Start() {
    std::shared_ptr<arrow::Schema> schema;
    if (const arrow::Status status = file_->GetSchema(&schema); !status.ok()) {
      return FromArrow(path(), status);
    }
    set_schema(std::move(schema));
    return Select(std::nullopt);
  }

  [[nodiscard]] std::optional<std::uint64_t> num_rows() const override {
    return static_cast<std::uint64_t>(file_->parquet_reader()->metadata()->num_rows());
  }

  Status Select(std::optional<int> column) override {
    std::vector<int> row_groups(static_cast<std::size_t>(file_->num_row_groups()));
    std::iota(row_groups.begin(), row_groups.end(), 0);
    if (!column.has_value()) {
      return Use(file_->GetRecordBatchReader(row_groups));
    }
    const auto& field = file_->manifest().schema_fields[static_cast<std::size_t>(*column)];
    const Result<int> leaf = LeafColumn(path(), field);
    return leaf.ok() ? Use(file_->GetRecordBatchReader(row_groups, {*leaf})) : leaf.status();
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadNext() override {
    return batches_->Next();
  }

 private:
  Status Use(arrow::Result<std::unique_ptr<arrow::RecordBatchReader>> batches) {
    if (!batches.ok()) {
      return FromArrow(path(), batches.status());
    }
    batches_ = *std::move(batches);
    return Status::Ok();
  }

  std::unique_ptr<parquet::arrow::FileReader> file_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;  // Ends before the file that it reads.
};

}  // namespace

Result<std::unique_ptr<RecordFile::Source>> OpenParquet(const fs::path& path) {
  const Result<InputFile> input = InputFile::Open(path);
  if (!input.ok()) {
    return input.status();
  }
  const auto no_parquet = [&](std::string_view why) {
    return CorruptFile(path, fmt::format("expected a Parquet file: {}", why));
  };
  try {  // Parquet's own reader throws.
    auto file = parquet::arrow::OpenFile(input->arrow_file(), arrow::default_memory_pool());
    if (!file.ok()) {
      return no_parquet(file.status().message());
    }
    auto source = std::make_unique<ParquetSource>(path, *std::move(file));
    if (Status started = source->Start(); !started.ok()) {
      return started;
    }
    return std::unique_ptr<RecordFile::Source>(std::move(source));
  } catch (const std::exception& error) {
    return no_parquet(error.what());
  }
}

}  // namespace forebay::cli
