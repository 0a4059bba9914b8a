// forebay put: the rows of files, or of standard input, into a table.
#include <arrow/array/array_base.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "arrow_input.h"
#include "progress.h"
#include "quantities.h"
#include "record_file.h"
#include "table/open_table.h"
#include "table/rebatch.h"
#include "table/table_verbs.h"
#include "training.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct PutFlags {
  fs::path table;
  std::vector<fs::path> files;
  std::size_t batch_rows = 0;
  TableOptions options;
  bool acks = false;
  bool json = false;
};

/// What was acknowledged so far.
struct PutTotals {
  std::uint64_t batches = 0;
  std::uint64_t rows = 0;
  std::uint64_t replaced = 0;
  std::uint64_t dropped = 0;
  std::uint64_t filled = 0;

  void Add(const PutReport& report) {
    ++batches;
    rows += report.num_rows;
    replaced += report.num_replaced;
    dropped += report.num_dropped;
    filled += report.num_filled;
  }
};

/// The batch with its vectors as the table has them, where they are lists of any length.
Result<std::shared_ptr<arrow::RecordBatch>> FitVectors(
    const Table& table, const fs::path& path, const std::shared_ptr<arrow::RecordBatch>& batch) {
  const int index = batch->schema()->GetFieldIndex(table.vector_column());
  const auto column = index < 0 ? nullptr : batch->column(index);
  if (column == nullptr ||
      (column->type_id() != arrow::Type::LIST && column->type_id() != arrow::Type::LARGE_LIST)) {
    return batch;
  }
  const auto type = table.schema()->GetFieldByName(table.vector_column())->type();
  const auto fitted = arrow::compute::Cast(*column, type);
  if (!fitted.ok()) {
    return CorruptFile(path, fmt::format("column '{}' must be {}: {}", table.vector_column(),
                                         type->ToString(), fitted.status().message()));
  }
  auto with = batch->SetColumn(index, arrow::field(table.vector_column(), type), *fitted);
  return with.ok() ? Result<std::shared_ptr<arrow::RecordBatch>>(*std::move(with))
                   : FromArrow(path, with.status());
}

/// A line for each batch, so that whoever reads them knows what is safe.
void PrintAcknowledgement(const PutReport& report) {
  const nlohmann::ordered_json line = {{"sequence_number", report.sequence_number},
                                       {"first_row_id", report.first_row_id},
                                       {"rows", report.num_rows},
                                       {"replaced", report.num_replaced},
                                       {"dropped", report.num_dropped},
                                       {"filled", report.num_filled}};
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

Status Failed(const Status& why, const PutTotals& totals) {
  return {why.code(),
          fmt::format("{} ({} rows before that were stored)", why.message(), Count(totals.rows))};
}

Status PutFile(Table& table, RecordFile& file, const PutFlags& flags, PutTotals& totals,
               Progress& progress) {
  Rebatcher batches(&file, flags.batch_rows);
  const std::uint64_t expected = file.num_rows().value_or(0);
  std::uint64_t done = 0;
  while (true) {
    auto batch = batches.Next();
    if (!batch.ok()) {
      return Failed(batch.status(), totals);
    }
    if (*batch == nullptr) {
      return Status::Ok();
    }
    batch = FitVectors(table, file.path(), *batch);
    if (!batch.ok()) {
      return Failed(batch.status(), totals);
    }
    const Result<PutReport> report = table.Put(**batch);
    if (!report.ok()) {
      return Failed({report.status().code(),
                     fmt::format("{}: in the batch from row {} on: {}", file.path().string(), done,
                                 report.status().message())},
                    totals);
    }
    totals.Add(*report);
    if (flags.acks) {
      PrintAcknowledgement(*report);
    }
    done += static_cast<std::uint64_t>((*batch)->num_rows());
    progress.Update(fmt::format("{} rows", Count(totals.rows)), done, expected);
  }
}

Status PutAll(Table& table, const PutFlags& flags, PutTotals& totals, Progress& progress) {
  if (flags.files.empty()) {
    Result<RecordFile> input = RecordFile::FromStandardInput();
    return input.ok() ? PutFile(table, *input, flags, totals, progress) : input.status();
  }
  for (const fs::path& path : flags.files) {
    Result<RecordFile> file = RecordFile::Open(path);
    Status put =
        file.ok() ? PutFile(table, *file, flags, totals, progress) : Failed(file.status(), totals);
    if (!put.ok()) {
      return put;
    }
  }
  return Status::Ok();
}

void Report(const PutFlags& flags, const PutTotals& totals, const TableStats& stats,
            double seconds) {
  if (flags.json) {
    const nlohmann::ordered_json report = {{"table", flags.table.string()},
                                           {"batches", totals.batches},
                                           {"rows", totals.rows},
                                           {"replaced", totals.replaced},
                                           {"dropped", totals.dropped},
                                           {"filled", totals.filled},
                                           {"flushes", stats.num_flushes},
                                           {"waited_seconds", stats.waited_seconds},
                                           {"seconds", seconds}};
    fmt::print("{}\n", report.dump());
  } else if (!flags.acks) {
    std::string text =
        fmt::format("put {} rows in {}, of which {} replaced older ones", Count(totals.rows),
                    Duration(seconds * 1e6), Count(totals.replaced));
    if (totals.dropped > 0) {
      text += fmt::format("; dropped {} with bad vectors", Count(totals.dropped));
    }
    if (totals.filled > 0) {
      text += fmt::format("; filled {} bad vectors", Count(totals.filled));
    }
    if (stats.waited_seconds > 0) {
      text += fmt::format("; waited {} for flushes", Duration(stats.waited_seconds * 1e6));
    }
    fmt::print("{}\n", text);
  }
}

Status RunPut(const PutFlags& flags) {
  return WithTable(flags.table, flags.options, [&](Table& table) {
    Progress progress(!flags.json && !flags.acks);
    PutTotals totals;
    const auto start = Clock::now();
    Status put = PutAll(table, flags, totals, progress);
    progress.Clear();
    if (!put.ok()) {
      return put;
    }
    const std::chrono::duration<double> took = Clock::now() - start;
    const Result<TableStats> stats = table.stats();
    if (stats.ok()) {
      Report(flags, totals, *stats, took.count());
    }
    return stats.status();
  });
}

void AddPutOptions(CLI::App& command, PutFlags& flags) {
  const auto add = [&](const char* name, auto& value, const char* type, const std::string& text) {
    return command.add_option(name, value, text)->option_text(type);
  };
  add("--batch-rows", flags.batch_rows, "N",
      "Rows that are written, and acknowledged, at once [as they come]")
      ->check(WholeNumber(1));
  AddSyncFlag(command, flags.options.sync);
  const std::map<std::string, OnBadVectors> on_bad = {{"error", OnBadVectors::kError},
                                                      {"drop", OnBadVectors::kDrop},
                                                      {"fill", OnBadVectors::kFill}};
  add("--on-bad-vectors", flags.options.on_bad_vectors, "error|drop|fill",
      "For null, NaN, infinite and (cosine) zero vectors [error]")
      ->transform(CLI::CheckedTransformer(on_bad));
  add("--fill-value", flags.options.fill_value, "X", "What fill puts into every dimension [0]");
  add("--max-memtable-rows", flags.options.max_memtable_rows, "N",
      fmt::format("Flush before there are more in memory [{}]", flags.options.max_memtable_rows))
      ->check(WholeNumber(1));
  add("--max-memtable-bytes", flags.options.max_memtable_bytes, "N",
      fmt::format("Flush before they take more [{}]", flags.options.max_memtable_bytes))
      ->check(WholeNumber(1));
  flags.options.num_threads = HardwareThreads();
  add("--threads", flags.options.num_threads, "N", "Threads that encode [all there are]")
      ->check(WholeNumber(1));
}

}  // namespace

Verb AddPut(CLI::App& app) {
  const auto flags = std::make_shared<PutFlags>();
  CLI::App* const command = app.add_subcommand("put", "Add rows to a table, or replace them.");
  AddTablePath(*command, flags->table);
  command->add_option("FILES", flags->files, "Arrow IPC or Parquet [Arrow IPC on standard input]")
      ->option_text(" ");
  AddPutOptions(*command, *flags);
  CLI::Option* const acks =
      command
          ->add_flag("--acks", flags->acks,
                     "Print one JSON object a line as each batch is acknowledged")
          ->option_text(" ");
  command->add_flag("--json", flags->json, "Print one JSON object, and no progress")
      ->option_text(" ")
      ->excludes(acks);
  command->footer(
      "Each batch is written as a whole or not at all. On an error, those before it are stored.\n"
      "\n"
      "Examples:\n"
      "  forebay put words words.parquet\n"
      "  forebay put words < new_words.arrow\n"
      "  forebay put words --batch-rows 1000 --sync interval monday.arrow tuesday.arrow");
  return {command, [flags] { return RunPut(*flags); }};
}

}  // namespace forebay::cli
