// The words of the examples: a Parquet file with the columns `word` (string) and `embedding`.
#pragma once

#include <arrow/array/array_binary.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "forebay/arrow.h"
#include "forebay/model.h"

/// Ends the program with a message if `result` holds an error.
template <typename Result>
auto OrThrow(Result result) {
  if (!result.ok()) {
    throw std::runtime_error(std::string(result.status().message()));
  }
  return *std::move(result);
}

struct Words {
  std::shared_ptr<arrow::RecordBatch> batch;
  std::shared_ptr<arrow::StringArray> names;
  forebay::ArrowVectors vectors;

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(batch->num_rows()); }
  [[nodiscard]] std::string_view name(std::size_t row) const {
    return names->GetView(static_cast<std::int64_t>(row));
  }
  [[nodiscard]] forebay::VectorView vector(std::size_t row) const {
    return {vectors.view().row(row), 1, vectors.view().dim};
  }
  [[nodiscard]] std::shared_ptr<arrow::RecordBatch> rows(std::size_t begin, std::size_t end) const {
    return batch->Slice(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end - begin));
  }
};

inline Words ReadWords(const std::string& path) {
  auto file = OrThrow(arrow::io::ReadableFile::Open(path));
  auto reader = OrThrow(parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
  auto batch = OrThrow(OrThrow(reader->ReadTable())->CombineChunksToBatch());
  const auto words = batch->GetColumnByName("word");
  const auto embeddings = batch->GetColumnByName("embedding");
  if (!words || !embeddings || words->type_id() != arrow::Type::STRING) {
    throw std::runtime_error(
        fmt::format("expected columns `word` (string) and `embedding` in {}", path));
  }
  return {batch, std::static_pointer_cast<arrow::StringArray>(words),
          OrThrow(forebay::ArrowVectors::Make(*embeddings))};
}
