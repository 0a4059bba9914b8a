// forebay export: the rows of a table as a file.
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "progress.h"
#include "quantities.h"
#include "table/filter_text.h"
#include "table/open_table.h"
#include "table/row_choice.h"
#include "table/row_formats.h"
#include "table/table_verbs.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

struct ExportFlags {
  fs::path table;
  fs::path out;
  std::optional<RecordFormat> format;
  std::optional<std::string> filter;
  std::vector<std::string> columns;
  bool json = false;
};

Result<std::int64_t> WriteTable(const Table& table, const ExportFlags& flags) {
  const auto format = ChooseFormat(flags.out, flags.format);
  const auto filter = ParseFilterFlag(flags.filter, *table.schema());
  if (!format.ok() || !filter.ok()) {
    return format.ok() ? filter.status() : format.status();
  }
  const auto reader = table.Scan(filter->has_value() ? &**filter : nullptr, flags.columns);
  const auto stats = table.stats();
  if (!reader.ok() || !stats.ok()) {
    return reader.ok() ? stats.status() : reader.status();
  }
  const auto output = FileRows(flags.out, *format, (*reader)->schema());
  if (!output.ok()) {
    return output.status();
  }
  Progress progress(!flags.json);
  const std::uint64_t expected = filter->has_value() ? 0 : stats->num_rows;
  return CopyRows(**reader, flags.table, **output, std::numeric_limits<std::int64_t>::max(),
                  [&](std::int64_t done) {
                    const auto rows = static_cast<std::uint64_t>(done);
                    progress.Update(fmt::format("{} rows", Count(rows)), rows, expected);
                  });
}

void Report(const ExportFlags& flags, std::uint64_t rows, double seconds) {
  std::error_code none;
  const std::uint64_t bytes = fs::file_size(flags.out, none);
  if (flags.json) {
    const nlohmann::ordered_json report = {{"table", flags.table.string()},
                                           {"file", flags.out.string()},
                                           {"rows", rows},
                                           {"bytes", bytes},
                                           {"seconds", seconds}};
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print("exported {} rows to {} ({} bytes) in {}\n", Count(rows), flags.out.string(),
             Count(bytes), Duration(seconds * 1e6));
}

Status RunExport(const ExportFlags& flags) {
  const Result<Table> table = OpenForReading(flags.table);
  if (!table.ok()) {
    return table.status();
  }
  const auto start = std::chrono::steady_clock::now();
  const Result<std::int64_t> rows = WriteTable(*table, flags);
  if (!rows.ok()) {
    return rows.status();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  Report(flags, static_cast<std::uint64_t>(*rows), took.count());
  return Status::Ok();
}

}  // namespace

Verb AddExport(CLI::App& app) {
  const auto flags = std::make_shared<ExportFlags>();
  CLI::App* const command = app.add_subcommand("export", "Write the rows of a table to a file.");
  AddTablePath(*command, flags->table);
  command->add_option("-o,--out", flags->out, ".parquet, .arrow, .feather, .ipc or .arrows")
      ->option_text("FILE (required)")
      ->required();
  const std::map<std::string, RecordFormat> formats = {{"arrow", RecordFormat::kIpcFile},
                                                       {"arrows", RecordFormat::kIpcStream},
                                                       {"parquet", RecordFormat::kParquet}};
  command->add_option("--format", flags->format, "Whatever the file's name is [as the name says]")
      ->option_text("arrow|arrows|parquet")
      ->transform(CLI::CheckedTransformer(formats));
  AddFilterFlag(*command, flags->filter);
  AddColumnsFlag(*command, flags->columns);
  command->add_flag("--json", flags->json, "Print one JSON object, and no progress")
      ->option_text(" ");
  command->footer(
      "The rows are those of one moment, oldest first; others may write meanwhile. The file is\n"
      "there when all of it is, and replaces an older one then; a failure leaves nothing.\n"
      "\n"
      "Examples:\n"
      "  forebay export words -o words.parquet\n"
      "  forebay export words -o short.arrow --filter \"length(word) < 4\" --columns word,_rowid");
  return {command, [flags] { return RunExport(*flags); }};
}

}  // namespace forebay::cli
