#include "table/row_output.h"

#include <arrow/record_batch.h>
#include <unistd.h>

#include <CLI/Option.hpp>
#include <algorithm>
#include <utility>

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
  command.add_option("--out", flags.out, "Write a file: .parquet, .arrow, .feather, .ipc, .arrows")
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
    return FileRows(flags.out, schema);
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

Status WriteRows(const OutputFlags& flags, const arrow::RecordBatch& rows, TextStyle style) {
  auto output = OpenRowOutput(flags, rows.schema(), std::move(style));
  if (!output.ok()) {
    return output.status();
  }
  Status written = (*output)->Write(rows);
  return written.ok() ? (*output)->Finish() : written;
}

}  // namespace forebay::cli
