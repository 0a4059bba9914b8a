// forebay get: rows by their keys, or by `_rowid`.
#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "table/open_table.h"
#include "table/row_choice.h"
#include "table/row_output.h"
#include "table/table_verbs.h"

namespace forebay::cli {
namespace {

struct GetFlags {
  std::filesystem::path table;
  std::vector<std::string> keys;
  std::vector<std::uint64_t> row_ids;
  std::vector<std::string> columns;
  OutputFlags output;
};

Status RunGet(const GetFlags& flags) {
  const Result<Table> table = OpenForReading(flags.table);
  if (!table.ok()) {
    return table.status();
  }
  const auto chosen = flags.row_ids.empty() ? RowsByKey(*table, flags.keys, flags.columns)
                                            : RowsById(*table, flags.row_ids, flags.columns);
  if (!chosen.ok()) {
    return chosen.status();
  }
  Status written = WriteRows(flags.output, *chosen->rows, StyleOf(*table, flags.columns));
  return written.ok() ? RequireAll(*chosen) : written;
}

}  // namespace

Verb AddGet(CLI::App& app) {
  const auto flags = std::make_shared<GetFlags>();
  CLI::App* const command = app.add_subcommand("get", "Show rows by their keys.");
  AddTablePath(*command, flags->table);
  CLI::Option* const keys =
      command->add_option("KEYS", flags->keys, "Primary keys")->option_text(" ");
  RequireOne(*command, {keys, AddRowIdFlag(*command, flags->row_ids)}, "KEYS or --row-id");
  AddColumnsFlag(*command, flags->columns);
  AddOutputFlags(*command, flags->output);
  command->footer(
      "Where a row is not there the others are shown, and the exit code is 1.\n"
      "\n"
      "Examples:\n"
      "  forebay get words river guitar\n"
      "  forebay get words river --columns embedding --json\n"
      "  forebay get words --row-id 17 --columns word,_rowid");
  return {command, [flags] { return RunGet(*flags); }};
}

}  // namespace forebay::cli
