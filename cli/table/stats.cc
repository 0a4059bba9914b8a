// forebay stats: what a table is, and what it holds.
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "model_report.h"
#include "quantities.h"
#include "table/generation_report.h"
#include "table/open_table.h"
#include "table/table_verbs.h"

namespace forebay::cli {
namespace {

struct StatsFlags {
  std::filesystem::path table;
  bool json = false;
};

void PrintJson(const Table& table, const TableStats& stats) {
  const RecoveryReport& recovery = table.recovery();
  nlohmann::ordered_json columns;
  for (const auto& field : table.schema()->fields()) {
    columns[field->name()] = field->type()->ToString();
  }
  auto generations = nlohmann::ordered_json::array();
  for (const GenerationStats& generation : stats.generations) {
    generations.push_back(GenerationJson(generation));
  }
  nlohmann::ordered_json report = {{"rows", stats.num_rows},
                                   {"dead", stats.num_dead},
                                   {"sequence_number", stats.sequence_number},
                                   {"writer_epoch", stats.writer_epoch},
                                   {"memtable_bytes", stats.memtable_bytes},
                                   {"wal_bytes", stats.wal_bytes},
                                   {"generations", generations},
                                   {"vector", table.vector_column()},
                                   {"dim", table.dim()},
                                   {"metric", MetricName(table.metric())},
                                   {"primary_key", nullptr},
                                   {"columns", columns},
                                   {"model", nullptr},
                                   {"recovery",
                                    {{"batches", recovery.num_batches},
                                     {"rows", recovery.num_rows},
                                     {"deaths", recovery.num_deaths},
                                     {"torn_bytes", recovery.torn_bytes}}}};
  if (const auto key = table.primary_key(); key.has_value()) {
    report["primary_key"] = *key;
  }
  if (const auto model = table.model(); model.has_value()) {
    report["model"] = ModelJson(*model, model->Serialize().size());
  }
  fmt::print("{}\n", report.dump());
}

void PrintText(const Table& table, const TableStats& stats) {
  const RecoveryReport& recovery = table.recovery();
  const auto line = [](std::string_view name, const std::string& value) {
    fmt::print("{:<13} {}\n", name, value);
  };
  line("rows", fmt::format("{}, and {} dead", Count(stats.num_rows), Count(stats.num_dead)));
  std::string columns;
  for (const auto& field : table.schema()->fields()) {
    columns += fmt::format("{}{} ({})", columns.empty() ? "" : ", ", field->name(),
                           field->type()->ToString());
  }
  line("columns", columns);
  line("vector", fmt::format("{}, {} dimensions, {}", table.vector_column(), table.dim(),
                             MetricName(table.metric())));
  line("primary key", table.primary_key().value_or("none"));
  line("batches", fmt::format("{} (sequence number)", Count(stats.sequence_number)));
  line("writer epoch", Count(stats.writer_epoch));
  line("memory", fmt::format("{} bytes", Count(stats.memtable_bytes)));
  line("log",
       fmt::format("{} bytes; replayed {} batches, {} rows, {} deaths; {} torn bytes",
                   Count(stats.wal_bytes), Count(recovery.num_batches), Count(recovery.num_rows),
                   Count(recovery.num_deaths), Count(recovery.torn_bytes)));
  for (const GenerationStats& generation : stats.generations) {
    line(fmt::format("generation {}", generation.number), GenerationText(generation));
  }
  if (const auto model = table.model(); model.has_value()) {
    fmt::print("\nmodel\n{}", ModelText(*model, model->Serialize().size()));
  } else {
    line("model", "none: searches compare all rows; `forebay train` makes one");
  }
}

Status RunStats(const StatsFlags& flags) {
  const Result<Table> table = OpenForReading(flags.table);
  if (!table.ok()) {
    return table.status();
  }
  const Result<TableStats> stats = table->stats();
  if (!stats.ok()) {
    return stats.status();
  }
  flags.json ? PrintJson(*table, *stats) : PrintText(*table, *stats);
  return Status::Ok();
}

}  // namespace

Verb AddStats(CLI::App& app) {
  const auto flags = std::make_shared<StatsFlags>();
  CLI::App* const command = app.add_subcommand("stats", "Show what a table holds.");
  AddTablePath(*command, flags->table);
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  forebay stats words\n"
      "  forebay stats words --json | jq .rows\n"
      "  forebay stats words --json | jq -c '.generations[]'");
  return {command, [flags] { return RunStats(*flags); }};
}

}  // namespace forebay::cli
