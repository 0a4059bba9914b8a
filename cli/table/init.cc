// forebay init: an empty table with the columns of a file.
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "model_file.h"
#include "record_file.h"
#include "table/open_table.h"
#include "table/table_verbs.h"
#include "vector_column.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

struct InitFlags {
  fs::path table;
  fs::path schema;
  std::string vector;
  std::optional<std::int32_t> dim;
  std::optional<std::string> key;
  std::string metric = "l2";
  fs::path model;
  bool json = false;
};

/// The schema with `vector` as a fixed_size_list: Parquet as others write it has lists of any
/// length.
Result<std::shared_ptr<arrow::Schema>> WithDimension(const fs::path& path,
                                                     const std::shared_ptr<arrow::Schema>& schema,
                                                     const std::string& vector,
                                                     std::optional<std::int32_t> dim) {
  const int index = vector.empty() ? -1 : schema->GetFieldIndex(vector);
  const auto field = index < 0 ? nullptr : schema->field(index);
  if (field == nullptr || (field->type()->id() != arrow::Type::LIST &&
                           field->type()->id() != arrow::Type::LARGE_LIST)) {
    return dim.has_value()
               ? Result<std::shared_ptr<arrow::Schema>>(Status::InvalidArgument(fmt::format(
                     "{}: --dim is for a --vector whose column is a list", path.string())))
               : Result<std::shared_ptr<arrow::Schema>>(schema);
  }
  if (!dim.has_value()) {
    return Status::InvalidArgument(
        fmt::format("{}: column '{}' ({}) may hold lists of any length; say with --dim how long "
                    "the vectors are",
                    path.string(), vector, field->type()->ToString()));
  }
  const auto fixed = arrow::fixed_size_list(field->type()->field(0)->type(), *dim);
  auto with = schema->SetField(index, field->WithType(fixed));
  return with.ok() ? Result<std::shared_ptr<arrow::Schema>>(*std::move(with))
                   : Status::InvalidArgument(with.status().message());
}

Result<TableDefinition> Define(const InitFlags& flags) {
  const Result<RecordFile> file = RecordFile::Open(flags.schema);
  if (!file.ok()) {
    return file.status();
  }
  auto schema = WithDimension(flags.schema, file->schema(), flags.vector, flags.dim);
  if (!schema.ok()) {
    return schema.status();
  }
  const Result<int> vector = ChooseVectorColumn(flags.schema, **schema, flags.vector, "--vector");
  if (!vector.ok()) {
    return vector.status();
  }
  const Result<Metric> metric = ParseMetric(flags.metric);
  if (!metric.ok()) {
    return metric.status();
  }
  TableDefinition definition = {.schema = *schema,
                                .vector_column = (*schema)->field(*vector)->name(),
                                .primary_key = flags.key,
                                .metric = *metric};
  if (!flags.model.empty()) {
    Result<ModelFile> model = ReadModelFile(flags.model);
    if (!model.ok()) {
      return model.status();
    }
    definition.model = std::move(model->model);
  }
  return definition;
}

void Report(const InitFlags& flags, const Table& table) {
  const auto key = table.primary_key();
  if (flags.json) {
    nlohmann::ordered_json report = {{"table", flags.table.string()},
                                     {"vector", table.vector_column()},
                                     {"dim", table.dim()},
                                     {"metric", MetricName(table.metric())},
                                     {"primary_key", nullptr},
                                     {"columns", table.schema()->field_names()}};
    if (key.has_value()) {
      report["primary_key"] = *key;
    }
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print("made {}: vectors in '{}' ({} dimensions, {}), {}\n", flags.table.string(),
             table.vector_column(), table.dim(), MetricName(table.metric()),
             key.has_value() ? fmt::format("primary key '{}'", *key) : "no primary key");
}

Status RunInit(const InitFlags& flags) {
  const Result<TableDefinition> definition = Define(flags);
  if (!definition.ok()) {
    return definition.status();
  }
  Result<Table> table = Table::Create(flags.table, *definition);
  if (!table.ok()) {
    return table.status();
  }
  Report(flags, *table);
  return table->Close();
}

}  // namespace

Verb AddInit(CLI::App& app) {
  const auto flags = std::make_shared<InitFlags>();
  CLI::App* const command = app.add_subcommand("init", "Make an empty table.");
  AddTablePath(*command, flags->table);
  const auto add = [&](const char* name, auto& value, const char* type, const char* text) {
    return command->add_option(name, value, text)->option_text(type);
  };
  add("--schema", flags->schema, "FILE (required)",
      "Arrow IPC or Parquet file; the table gets its columns, but no rows")
      ->required();
  add("--vector", flags->vector, "NAME", "Column with the vectors [the only fixed_size_list]");
  add("--dim", flags->dim, "N", "Dimension, where that column is a list of any length")
      ->check(WholeNumber(1))
      ->check(CLI::Range(std::numeric_limits<std::int32_t>::max()));
  add("--key", flags->key, "NAME",
      "Primary key (int64, uint64, utf8): new rows replace older ones [none]");
  add("--metric", flags->metric, "l2|cosine|dot", "How distances are measured [l2]")
      ->check(CLI::IsMember({"l2", "cosine", "dot"}));
  add("--model", flags->model, "FILE", "A model that `forebay train` wrote [none]");
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  forebay init words --schema words.parquet --key word --metric cosine\n"
      "  forebay init notes --schema notes.arrow --vector embedding --model notes.model\n"
      "  forebay init docs --schema docs.parquet --vector embedding --dim 384");
  return {command, [flags] { return RunInit(*flags); }};
}

}  // namespace forebay::cli
