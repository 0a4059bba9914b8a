// forebay flush: what is in a table's log becomes a generation.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "quantities.h"
#include "table/generation_report.h"
#include "table/open_table.h"
#include "table/table_verbs.h"

namespace forebay::cli {
namespace {

struct FlushFlags {
  std::filesystem::path table;
  bool json = false;
};

void Report(const FlushFlags& flags, const TableChange& change) {
  const std::uint64_t rows = change.before.num_rows - TotalsOf(change.before).num_rows;
  const std::size_t num_generations = change.after.generations.size();
  if (flags.json) {
    const nlohmann::ordered_json report = {{"table", flags.table.string()},
                                           {"rows", rows},
                                           {"generations", num_generations},
                                           {"seconds", change.seconds}};
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print("flushed {} rows in {}; the table has {} generation{}\n", Count(rows),
             Duration(change.seconds * 1e6), num_generations, num_generations == 1 ? "" : "s");
}

Status RunFlush(const FlushFlags& flags) {
  // Nothing is merged beside it: that would be broken off as the table is closed.
  return WithTable(flags.table, {.merge_fan_in = 0}, [&](Table& table) {
    const auto change = Observe(table, [&] { return table.Flush(); });
    if (change.ok()) {
      Report(flags, *change);
    }
    return change.status();
  });
}

}  // namespace

Verb AddFlush(CLI::App& app) {
  const auto flags = std::make_shared<FlushFlags>();
  CLI::App* const command =
      app.add_subcommand("flush", "Make a generation of what is in a table's log.");
  AddTablePath(*command, flags->table);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Opening the table need not replay these rows any more. `put` does it by itself when its\n"
      "MemTable is full.\n"
      "\n"
      "Examples:\n"
      "  forebay flush words\n"
      "  forebay flush words --json");
  return {command, [flags] { return RunFlush(*flags); }};
}

}  // namespace forebay::cli
