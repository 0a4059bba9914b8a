// forebay scan: all rows of a table, or those that pass a filter.
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "table/filter_text.h"
#include "table/open_table.h"
#include "table/row_choice.h"
#include "table/row_output.h"
#include "table/table_verbs.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

struct ScanFlags {
  std::filesystem::path table;
  std::optional<std::string> filter;
  std::vector<std::string> columns;
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  bool count = false;
  OutputFlags output;
};

using Filter = std::optional<arrow::compute::Expression>;

Status PrintCount(const Table& table, const Filter& filter, bool json) {
  const auto count = table.Count(filter.has_value() ? &*filter : nullptr);
  if (!count.ok()) {
    return count.status();
  }
  fmt::print("{}\n", json ? nlohmann::json{{"count", *count}}.dump() : std::to_string(*count));
  return Status::Ok();
}

Status PrintRows(const Table& table, const Filter& filter, const ScanFlags& flags) {
  const auto reader = table.Scan(filter.has_value() ? &*filter : nullptr, flags.columns);
  if (!reader.ok()) {
    return reader.status();
  }
  const auto output =
      OpenRowOutput(flags.output, (*reader)->schema(), StyleOf(table, flags.columns));
  if (!output.ok()) {
    return output.status();
  }
  return CopyRows(**reader, flags.table, **output, flags.limit).status();
}

Status RunScan(const ScanFlags& flags) {
  const Result<Table> table = OpenForReading(flags.table);
  if (!table.ok()) {
    return table.status();
  }
  const auto filter = ParseFilterFlag(flags.filter, *table->schema());
  if (!filter.ok()) {
    return filter.status();
  }
  return flags.count ? PrintCount(*table, *filter, flags.output.json)
                     : PrintRows(*table, *filter, flags);
}

}  // namespace

Verb AddScan(CLI::App& app) {
  const auto flags = std::make_shared<ScanFlags>();
  CLI::App* const command = app.add_subcommand("scan", "Show the rows of a table, oldest first.");
  AddTablePath(*command, flags->table);
  AddFilterFlag(*command, flags->filter);
  CLI::Option* const limit =
      command->add_option("--limit", flags->limit, "No more than the first N rows [all]")
          ->option_text("N")
          ->check(WholeNumber(0));
  command->add_flag("--count", flags->count, "Print only how many rows there are")
      ->option_text(" ")
      ->excludes(limit);
  AddColumnsFlag(*command, flags->columns);
  AddOutputFlags(*command, flags->output);
  command->footer(
      "Examples:\n"
      "  forebay scan words --filter \"word like 'riv%'\" --limit 10\n"
      "  forebay scan words --columns word,_rowid --json\n"
      "  forebay scan words --filter \"length(word) > 3\" --count\n"
      "  forebay scan words --out words.parquet");
  return {command, [flags] { return RunScan(*flags); }};
}

}  // namespace forebay::cli
