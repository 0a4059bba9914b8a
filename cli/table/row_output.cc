#include "table/row_output.h"

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/Option.hpp>
#include <algorithm>
#include <utility>

#include "arrow_input.h"
#include "table/row_formats.h"

namespace forebay::cli {

void AddOutputFlags(CLI::App& command, OutputFlags& flags) {
  CLI::Option* const json =
      command.add_flag("--json", flags.json, "Print a JSON object a line for each row")
          ->option_text(" ")
          ->group("Output");
  CLI::Option* const arrow =
      command.add_flag("--arrow", flags.arrow, "Write an Arrow IPC stream to standard output")
          ->option_text(" ")
          ->group("Output")
          ->excludes(json);
  command
      .add_option("-o,--out", flags.out, "Write a file: .parquet, .arrow, .feather, .ipc, .arrows")
      ->option_text("FILE")
      ->group("Output")
      ->excludes(json)
      ->excludes(arrow);
}

TextStyle StyleOf(const Table& table, const std::vector<std::string>& asked_for) {
  const bool asked =
      std::find(asked_for.begin(), asked_for.end(), table.vector_column()) != asked_for.end();
  return {.short_column = asked ? "" : table.vector_column()};
}

Result<std::unique_ptr<RowOutput>> OpenRowOutput(const OutputFlags& flags,
                                                 const std::shared_ptr<arrow::Schema>& schema,
                                                 TextStyle style) {
  if (!flags.out.empty()) {
    const auto format = ChooseFormat(flags.out);
    return format.ok() ? FileRows(flags.out, *format, schema) : format.status();
  }
  if (flags.json) {
    return JsonRows();
  }
  if (!flags.arrow) {
    return TextRows(*schema, std::move(style));
  }
  if (::isatty(STDOUT_FILENO) == 1) {
    return Status::InvalidArgument(
        "an Arrow stream is not for a terminal; send it to a file or a program, or use --json");
  }
  return ArrowRows(schema);
}

Result<RecordFormat> ChooseFormat(const std::filesystem::path& path,
                                  std::optional<RecordFormat> chosen) {
  const auto format = chosen.has_value() ? chosen : RecordFormatOf(path);
  if (!format.has_value()) {
    return Status::InvalidArgument(
        fmt::format("{}: expected a name that ends in .parquet, .arrow, .feather, .ipc or .arrows",
                    path.string()));
  }
  return *format;
}

Result<std::int64_t> CopyRows(arrow::RecordBatchReader& reader, const std::filesystem::path& table,
                              RowOutput& output, std::int64_t limit,
                              const std::function<void(std::int64_t)>& written) {
  std::int64_t done = 0;
  while (done < limit) {
    const auto batch = reader.Next();
    if (!batch.ok()) {
      return FromArrow(table, batch.status());
    }
    if (*batch == nullptr) {
      break;
    }
    const auto rows = (*batch)->Slice(0, std::min(limit - done, (*batch)->num_rows()));
    if (Status wrote = output.Write(*rows); !wrote.ok()) {
      return wrote;
    }
    done += rows->num_rows();
    if (written) {
      written(done);
    }
  }
  Status finished = output.Finish();
  return finished.ok() ? Result<std::int64_t>(done) : finished;
}

Status WriteRows(const OutputFlags& flags, const arrow::RecordBatch& rows, TextStyle style) {
  auto output = OpenRowOutput(flags, rows.schema(), std::move(style));
  if (!output.ok()) {
    return output.status();
  }
  Status written = (*output)->Write(rows);
  return written.ok() ? (*output)->Finish() : written;
}

}  // namespace forebay::cli
