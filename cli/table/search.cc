// forebay search: the rows nearest to the vectors of a file, or to rows of the table itself.
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <cstdint>
#include <cstdio>
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
#include "table/row_output.h"
#include "table/table_verbs.h"
#include "training.h"
#include "vector_file.h"
#include "vector_formats.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

struct SearchFlags {
  fs::path table;
  fs::path file;
  VectorFileOptions vectors;
  std::vector<std::string> like;
  std::vector<std::uint64_t> row_ids;
  std::optional<std::string> filter;
  TableSearchOptions search;
  bool explain = false;
  OutputFlags output;
};

/// The vectors of the rows that --like or --row-id name.
Result<VectorFile> StoredVectors(const Table& table, const SearchFlags& flags) {
  const std::vector<std::string> columns = {table.vector_column()};
  const auto chosen = flags.row_ids.empty() ? RowsByKey(table, flags.like, columns)
                                            : RowsById(table, flags.row_ids, columns);
  if (!chosen.ok()) {
    return chosen.status();
  }
  if (Status all = RequireAll(*chosen); !all.ok()) {
    return all;
  }
  VectorFile vectors;
  Status appended =
      AppendVectors(flags.table, *chosen->rows->column(0), flags.vectors.max_rows, vectors);
  return appended.ok() ? Result<VectorFile>(std::move(vectors)) : Result<VectorFile>(appended);
}

nlohmann::ordered_json ToJson(const SourceStats& source) {
  return {{"source", source.source},
          {"rows", source.num_rows},
          {"dead", source.num_dead},
          {"probed_partitions", source.probed_partitions},
          {"scanned_rows", source.scanned_rows},
          {"survivors", source.survivors},
          {"reranked_rows", source.reranked_rows},
          {"seconds", source.seconds}};
}

std::string ToText(const SourceStats& source) {
  return fmt::format(
      "{}: {} rows ({} dead); {} partitions probed, {} rows scanned, {} survivors, {} ranked by "
      "exact distance; {}",
      source.source, Count(source.num_rows), Count(source.num_dead),
      Count(source.probed_partitions), Count(source.scanned_rows), Count(source.survivors),
      Count(source.reranked_rows), Duration(source.seconds * 1e6));
}

/// On standard error, so that rows and nothing else are on standard output.
void Explain(const TableSearchResult& result, bool json) {
  for (const SourceStats& source : result.sources) {
    fmt::print(stderr, "{}\n", json ? ToJson(source).dump() : ToText(source));
  }
}

Status RunSearch(const SearchFlags& flags) {
  const Result<Table> table = OpenForReading(flags.table);
  if (!table.ok()) {
    return table.status();
  }
  const auto filter = ParseFilterFlag(flags.filter, *table->schema());
  if (!filter.ok()) {
    return filter.status();
  }
  const auto queries =
      flags.file.empty() ? StoredVectors(*table, flags) : ReadVectorFile(flags.file, flags.vectors);
  if (!queries.ok()) {
    return queries.status();
  }
  TableSearchOptions options = flags.search;
  options.filter = filter->has_value() ? &**filter : nullptr;
  const auto result = table->Search(queries->view(), options);
  if (!result.ok()) {
    return result.status();
  }
  TextStyle style = StyleOf(*table, options.columns);
  style.left_out = queries->num_rows == 1 ? "query_index" : "";
  Status written = WriteRows(flags.output, *result->rows, style);
  if (written.ok() && flags.explain) {
    Explain(*result, flags.output.json);
  }
  return written;
}

void AddSearchOptions(CLI::App& command, SearchFlags& flags) {
  const auto add = [&](const char* name, std::size_t& value, std::uint64_t min,
                       const std::string& text) {
    command.add_option(name, value, text)->option_text("N")->check(WholeNumber(min));
  };
  TableSearchOptions& search = flags.search;
  add("-k,--k", search.k, 1, fmt::format("Rows to find for each query [{}]", search.k));
  add("--nprobes", search.nprobes, 0,
      fmt::format("Partitions to look into at least, once a model is trained [{}]",
                  search.nprobes));
  add("--refine-factor", search.refine_factor, 1,
      fmt::format("Choose the k from the k x N best by their codes [{}]", search.refine_factor));
  search.num_threads = HardwareThreads();
  add("--threads", search.num_threads, 1, "Threads for many queries [all there are]");
  command.add_flag("--explain", flags.explain, "Say on standard error what the search did");
}

}  // namespace

Verb AddSearch(CLI::App& app) {
  const auto flags = std::make_shared<SearchFlags>();
  CLI::App* const command = app.add_subcommand("search", "Find the rows nearest to vectors.");
  AddTablePath(*command, flags->table);
  CLI::Option* const file =
      command->add_option("QUERIES", flags->file, "Vectors: .npy, .fvecs, Arrow IPC or Parquet")
          ->option_text(" ");
  CLI::Option* const like =
      command->add_option("--like", flags->like, "A row's primary key; may be given several times")
          ->option_text("KEY")
          ->allow_extra_args(false);
  RequireOne(*command, {file, like, AddRowIdFlag(*command, flags->row_ids)},
             "QUERIES, --like or --row-id");
  command
      ->add_option("--column", flags->vectors.column,
                   "Column of an Arrow or Parquet file [the only fixed_size_list]")
      ->option_text("NAME")
      ->needs(file);
  AddFilterFlag(*command, flags->filter);
  AddSearchOptions(*command, *flags);
  AddColumnsFlag(*command, flags->search.columns);
  AddOutputFlags(*command, flags->output);
  command->footer(
      "Distances are exact. A row that a query is taken from is found like any other.\n"
      "\n"
      "Examples:\n"
      "  forebay search words --like river --filter \"length(word) > 3\" -k 5\n"
      "  forebay search words queries.npy -k 100 --nprobes 50 --out hits.parquet\n"
      "  forebay search words --row-id 17 --columns word,_rowid --json");
  return {command, [flags] { return RunSearch(*flags); }};
}

}  // namespace forebay::cli
