// forebay merge: a table's generations become one.
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
#include "training.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

struct MergeFlags {
  std::filesystem::path table;
  TableOptions options = {.merge_fan_in = 0};  // All at once, not some of them first.
  bool json = false;
};

void Report(const MergeFlags& flags, const TableChange& change) {
  const GenerationTotals before = TotalsOf(change.before);
  const GenerationTotals after = TotalsOf(change.after);
  const std::uint64_t dropped = before.num_dead - after.num_dead;
  if (flags.json) {
    const nlohmann::ordered_json report = {{"table", flags.table.string()},
                                           {"generations_before", before.count},
                                           {"generations", after.count},
                                           {"rows", after.num_rows},
                                           {"dropped", dropped},
                                           {"bytes_before", before.num_bytes},
                                           {"bytes", after.num_bytes},
                                           {"seconds", change.seconds}};
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print(
      "merged {} generation{} into {} in {}: {} rows, {} dead ones dropped; {} bytes, {} before\n",
      before.count, before.count == 1 ? "" : "s", after.count, Duration(change.seconds * 1e6),
      Count(after.num_rows), Count(dropped), Count(after.num_bytes), Count(before.num_bytes));
}

Status RunMerge(const MergeFlags& flags) {
  return WithTable(flags.table, flags.options, [&](Table& table) {
    const auto change = Observe(table, [&] { return table.Merge(); });
    if (change.ok()) {
      Report(flags, *change);
    }
    return change.status();
  });
}

}  // namespace

Verb AddMerge(CLI::App& app) {
  const auto flags = std::make_shared<MergeFlags>();
  CLI::App* const command =
      app.add_subcommand("merge", "Make one generation of all that a table has.");
  AddTablePath(*command, flags->table);
  flags->options.num_threads = HardwareThreads();
  command
      ->add_option("--threads", flags->options.num_threads,
                   "Threads that encode, where models differ [all there are]")
      ->option_text("N")
      ->check(WholeNumber(1));
  command->add_flag("--json", flags->json, "Print one JSON object")->option_text(" ");
  command->footer(
      "Dead rows are dropped, and searches have fewer places to look into. It takes as much disk\n"
      "as the new generation has, until the old ones are removed. `flush` first, so that the rows\n"
      "of the log are in it too.\n"
      "\n"
      "Examples:\n"
      "  forebay flush words && forebay merge words\n"
      "  forebay merge words --json | jq .bytes");
  return {command, [flags] { return RunMerge(*flags); }};
}

}  // namespace forebay::cli
