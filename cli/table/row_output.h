// Where the rows that a verb found go: a text table, JSON, Arrow IPC or Parquet.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "forebay/table.h"
#include "record_file.h"

namespace arrow {
class RecordBatch;
class RecordBatchReader;
class Schema;
}  // namespace arrow

namespace forebay::cli {

struct OutputFlags {
  bool json = false;
  bool arrow = false;
  std::filesystem::path out;
};

/// Adds --json, --arrow and --out.
void AddOutputFlags(CLI::App& command, OutputFlags& flags);

/// How a text table shows the rows; the other formats have all of them.
struct TextStyle {
  std::string short_column = {};  ///< Its lists are cut short; empty: none.
  std::string left_out = {};      ///< A column that says nothing; empty: none.
};

/// Vectors are cut short unless they were asked for.
TextStyle StyleOf(const Table& table, const std::vector<std::string>& asked_for);

class RowOutput {
 public:
  RowOutput() = default;
  RowOutput(const RowOutput&) = delete;
  RowOutput& operator=(const RowOutput&) = delete;
  virtual ~RowOutput() = default;

  virtual Status Write(const arrow::RecordBatch& rows) = 0;
  /// Once, after the last rows: without it a file is not complete.
  virtual Status Finish() = 0;
};

Result<std::unique_ptr<RowOutput>> OpenRowOutput(const OutputFlags& flags,
                                                 const std::shared_ptr<arrow::Schema>& schema,
                                                 TextStyle style);

/// A file's format: the one that was chosen, or that of its name. kInvalidArgument: neither.
Result<RecordFormat> ChooseFormat(const std::filesystem::path& path,
                                  std::optional<RecordFormat> chosen = std::nullopt);

/// The rows of `reader`, which reads from `table`, but no more than `limit`; how many they were.
/// `written` is told now and then.
Result<std::int64_t> CopyRows(arrow::RecordBatchReader& reader, const std::filesystem::path& table,
                              RowOutput& output, std::int64_t limit,
                              const std::function<void(std::int64_t)>& written = {});

/// All of these rows.
Status WriteRows(const OutputFlags& flags, const arrow::RecordBatch& rows, TextStyle style);

}  // namespace forebay::cli
