// forebay delete: rows by their keys, or by a filter.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "quantities.h"
#include "table/filter_text.h"
#include "table/open_table.h"
#include "table/row_choice.h"
#include "table/table_verbs.h"

namespace forebay::cli {
namespace {

struct DeleteFlags {
  std::filesystem::path table;
  std::vector<std::string> keys;
  std::optional<std::string> filter;
  TableOptions options;
  bool json = false;
};

Result<std::uint64_t> Delete(Table& table, const DeleteFlags& flags) {
  const auto filter = ParseFilterFlag(flags.filter, *table.schema());
  if (!filter.ok()) {
    return filter.status();
  }
  if (filter->has_value()) {
    return table.Delete(**filter);
  }
  const auto keys = ParseKeys(table, flags.keys);
  return keys.ok() ? table.Delete(**keys) : keys.status();
}

Status RunDelete(const DeleteFlags& flags) {
  return WithTable(flags.table, flags.options, [&](Table& table) {
    const Result<std::uint64_t> deleted = Delete(table, flags);
    if (!deleted.ok()) {
      return deleted.status();
    }
    if (flags.json) {
      const nlohmann::ordered_json report = {{"table", flags.table.string()},
                                             {"deleted", *deleted}};
      fmt::print("{}\n", report.dump());
    } else {
      fmt::print("deleted {} row{}\n", Count(*deleted), *deleted == 1 ? "" : "s");
    }
    return Status::Ok();
  });
}

}  // namespace

Verb AddDelete(CLI::App& app) {
  const auto flags = std::make_shared<DeleteFlags>();
  CLI::App* const command = app.add_subcommand("delete", "Delete rows of a table.");
  AddTablePath(*command, flags->table);
  CLI::Option* const keys =
      command->add_option("KEYS", flags->keys, "Primary keys; those that are not there are passed")
          ->option_text(" ");
  RequireOne(*command, {keys, AddFilterFlag(*command, flags->filter)}, "KEYS or --filter");
  AddSyncFlag(*command, flags->options.sync);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  forebay delete words river guitar\n"
      "  forebay delete words --filter \"length(word) < 2 or word in ('foo', 'bar')\"");
  return {command, [flags] { return RunDelete(*flags); }};
}

}  // namespace forebay::cli
