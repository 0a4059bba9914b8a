// The record batches of an Arrow IPC file or stream, a Parquet file, or standard input.
//
// Every error names the file and says what was expected and what came.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "forebay/status.h"

namespace arrow {
class RecordBatch;
class RecordBatchReader;
class Schema;
}  // namespace arrow

namespace forebay::cli {

enum class RecordFormat : std::uint8_t { kIpcFile, kIpcStream, kParquet };

/// That of a file with this extension: .arrow, .feather and .ipc; .arrows; .parquet. nullopt: none.
std::optional<RecordFormat> RecordFormatOf(const std::filesystem::path& path);
/// Whether it has one.
bool HasRecords(const std::filesystem::path& path);

class RecordFile {
 public:
  /// Chooses the format by the file's extension.
  static Result<RecordFile> Open(const std::filesystem::path& path);
  /// Arrow IPC, file or stream, from a pipe or not.
  static Result<RecordFile> FromStandardInput();

  RecordFile(RecordFile&&) noexcept;
  RecordFile& operator=(RecordFile&&) noexcept;
  ~RecordFile();

  /// The file's name, or "standard input".
  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] const std::shared_ptr<arrow::Schema>& schema() const;
  /// Where that can be told without reading all of it.
  [[nodiscard]] std::optional<std::uint64_t> num_rows() const;

  /// Starts over with all columns, or this one only (not from standard input).
  Status Select(std::optional<int> column);
  /// The next batch, checked; nullptr after the last.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();

  class Source;

 private:
  explicit RecordFile(std::unique_ptr<Source> source);
  std::unique_ptr<Source> source_;
};

}  // namespace forebay::cli
