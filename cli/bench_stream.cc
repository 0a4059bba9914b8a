// forebay bench stream: writes a file's rows into an index while others search it.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "exact_search.h"
#include "model_file.h"
#include "model_report.h"
#include "progress.h"
#include "quantities.h"
#include "stream_run.h"
#include "training.h"
#include "vector_file.h"
#include "verbs.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

/// Fewer searches than this say little about a 99th percentile.
constexpr std::size_t kMinSearchesUnderLoad = 1000;

struct StreamFlags {
  fs::path input;
  VectorFileOptions file;
  bool shuffle = false;
  std::size_t num_queries = 1000;
  fs::path model;
  TrainingFlags training;
  std::optional<std::size_t> train_rows;
  StreamOptions stream;
  bool json = false;
};

struct Report {
  std::size_t num_rows = 0;
  std::size_t num_train_rows = 0;  ///< 0: the model came from a file.
  double train_seconds = 0;
  StreamMeasures measures;
  double recall_load = 0;
  double recall_idle = 0;

  [[nodiscard]] double recall() const {
    return std::isnan(recall_load) ? recall_idle : recall_load;
  }
  [[nodiscard]] double ingest_rows_per_s() const {
    return static_cast<double>(measures.num_rows) / measures.ingest_seconds;
  }
};

nlohmann::ordered_json ConfigJson(const StreamFlags& flags, const Report& report,
                                  const IvfPqModel& model) {
  nlohmann::ordered_json config = {{"input", flags.input.string()},
                                   {"rows", report.num_rows},
                                   {"shuffle", flags.shuffle},
                                   {"queries", flags.num_queries},
                                   {"batch", flags.stream.batch_rows},
                                   {"rate", flags.stream.rows_per_s},
                                   {"repeat", flags.stream.repeat},
                                   {"query_threads", flags.stream.query_threads},
                                   {"k", flags.stream.k},
                                   {"nprobes", flags.stream.nprobes},
                                   {"refine_factor", flags.stream.refine_factor},
                                   {"capacity", flags.stream.capacity},
                                   {"train_rows", report.num_train_rows},
                                   {"train_seconds", report.train_seconds}};
  config["model"] = ModelJson(model, model.Serialize().size());
  return config;
}

void PrintJson(const StreamFlags& flags, const Report& report, const IvfPqModel& model) {
  const StreamMeasures& m = report.measures;
  // NaN becomes null.
  const nlohmann::ordered_json json = {{"ingest_rows_per_s", report.ingest_rows_per_s()},
                                       {"visible_p50_us", m.visible.Percentile(50)},
                                       {"visible_p99_us", m.visible.Percentile(99)},
                                       {"search_idle_p50_us", m.search_idle.Percentile(50)},
                                       {"search_idle_p99_us", m.search_idle.Percentile(99)},
                                       {"search_load_p50_us", m.search_load.Percentile(50)},
                                       {"search_load_p99_us", m.search_load.Percentile(99)},
                                       {"recall_at_k", report.recall()},
                                       {"bytes_per_vector", m.bytes_per_vector},
                                       {"samples",
                                        {{"batches", m.visible.count()},
                                         {"searches_idle", m.search_idle.count()},
                                         {"searches_load", m.search_load.count()},
                                         {"recall_idle", report.recall_idle},
                                         {"recall_load", report.recall_load}}},
                                       {"config", ConfigJson(flags, report, model)}};
  fmt::print("{}\n", json.dump());
}

std::string LatencyLine(std::string_view name, const LatencySamples& samples,
                        std::string_view what) {
  return fmt::format("{:<21} p50 {:>8}   p99 {:>8}   ({} {})\n", name,
                     Duration(samples.Percentile(50)), Duration(samples.Percentile(99)),
                     Count(samples.count()), what);
}

std::string RecallText(double recall) {
  return std::isnan(recall) ? "-" : fmt::format("{:.4f}", recall);
}

void PrintText(const StreamFlags& flags, const Report& report, const IvfPqModel& model) {
  const StreamOptions& stream = flags.stream;
  const StreamMeasures& m = report.measures;
  const std::string rate =
      stream.rows_per_s == 0 ? std::string("flat out") : Count(stream.rows_per_s) + " rows/s";
  std::string text = fmt::format(
      "{} rows x {} dimensions, {}, {} partitions, {} bytes a code\n"
      "written {} at a time, {}; searched by {} thread{} (k {}, nprobes {}, refine factor {})\n\n",
      Count(report.num_rows), model.dim(), MetricName(model.metric()),
      Count(model.ivf().num_partitions()), model.pq().code_len(), Count(stream.batch_rows), rate,
      stream.query_threads, stream.query_threads == 1 ? "" : "s", stream.k, stream.nprobes,
      stream.refine_factor);
  if (report.num_train_rows > 0) {
    text += fmt::format("{:<21} on {} rows in {}\n", "trained", Count(report.num_train_rows),
                        Duration(report.train_seconds * 1e6));
  }
  text += fmt::format("{:<21} {} rows/s\n", "ingest",
                      Count(static_cast<std::uint64_t>(report.ingest_rows_per_s())));
  text += LatencyLine("write to visible", m.visible, "batches");
  text += LatencyLine("search, idle", m.search_idle, "searches");
  text += LatencyLine("search, under load", m.search_load, "searches");
  text += fmt::format("{:<21} {} under load, {} idle\n", fmt::format("recall@{}", stream.k),
                      RecallText(report.recall_load), RecallText(report.recall_idle));
  text += fmt::format("{:<21} {:.1f} bytes a vector\n", "memory", m.bytes_per_vector);
  fmt::print("{}", text);
}

/// The same order every time.
void ShuffleRows(VectorFile& file) {
  std::mt19937_64 random(1);
  for (std::size_t row = file.num_rows - 1; row > 0; --row) {
    const std::size_t other = std::uniform_int_distribution<std::size_t>(0, row)(random);
    if (other != row) {
      float* const values = file.values.data() + row * file.dim;
      std::swap_ranges(values, values + file.dim, file.values.data() + other * file.dim);
    }
  }
}

/// The model of --model, or one trained on the first rows.
Result<IvfPqModel> GetModel(const StreamFlags& flags, VectorView rows, Progress& progress,
                            Report& report) {
  if (!flags.model.empty()) {
    Result<ModelFile> file = ReadModelFile(flags.model);
    if (!file.ok()) {
      return file.status();
    }
    if (file->model.dim() != rows.dim) {
      return Status::InvalidArgument(
          fmt::format("{} is of dimension {}, the vectors of {} are of {}", flags.model.string(),
                      file->model.dim(), flags.input.string(), rows.dim));
    }
    return std::move(file->model);
  }
  const auto options = ResolveTraining(flags.training, rows.num_rows, rows.dim);
  if (!options.ok()) {
    return options.status();
  }
  // What k-means would sample anyway: that many rows for each centroid.
  const std::size_t wanted = options->num_partitions * options->sample_rate;
  report.num_train_rows = std::min(flags.train_rows.value_or(wanted), rows.num_rows);
  const auto start = Clock::now();
  auto model = TrainWithProgress({rows.data, report.num_train_rows, rows.dim}, *options, progress);
  report.train_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return model;
}

void WarnOfFewSearches(const StreamFlags& flags, std::size_t searches) {
  if (searches < kMinSearchesUnderLoad) {
    fmt::print(
        stderr,
        "forebay: only {} searches ran while rows came in, too few for a p99; use --repeat "
        "{} or a --rate\n",
        Count(searches),
        flags.stream.repeat * (kMinSearchesUnderLoad / std::max<std::size_t>(searches, 1) + 1));
  }
}

Status RunBenchStream(const StreamFlags& flags) {
  Result<VectorFile> file = ReadVectorFile(flags.input, flags.file);
  if (!file.ok()) {
    return file.status();
  }
  if (flags.num_queries >= file->num_rows) {
    return Status::InvalidArgument(
        fmt::format("{} has {} rows; expected more than the {} that are held out as queries "
                    "(--queries)",
                    flags.input.string(), Count(file->num_rows), Count(flags.num_queries)));
  }
  if (flags.shuffle) {
    ShuffleRows(*file);
  }
  Report report;
  report.num_rows = file->num_rows - flags.num_queries;
  const VectorView rows = file->rows(0, report.num_rows);
  const VectorView queries = file->rows(report.num_rows, file->num_rows);

  Progress progress(!flags.json);
  const Result<IvfPqModel> model = GetModel(flags, rows, progress, report);
  if (!model.ok()) {
    return model.status();
  }
  Result<StreamMeasures> measures = RunStream(*model, rows, queries, flags.stream, progress);
  if (!measures.ok()) {
    return measures.status();
  }
  report.measures = *std::move(measures);

  const ExactData exact = {rows, queries, model->metric()};
  const std::size_t threads = flags.training.num_threads;
  report.recall_load =
      MeanRecall(exact, report.measures.load_answers, flags.stream.k, threads, progress);
  report.recall_idle =
      MeanRecall(exact, report.measures.idle_answers, flags.stream.k, threads, progress);
  WarnOfFewSearches(flags, report.measures.search_load.count());
  flags.json ? PrintJson(flags, report, *model) : PrintText(flags, report, *model);
  return Status::Ok();
}

void AddStreamOptions(CLI::App& command, StreamFlags& flags) {
  const auto add = [&](const char* name, auto& value, const char* group, const char* text) {
    return command.add_option(name, value, text)->option_text("N")->group(group);
  };
  command
      .add_flag("--shuffle", flags.shuffle,
                "Put the rows in random order first, so that queries resemble rows")
      ->option_text(" ")
      ->group("Stream");
  add("--batch", flags.stream.batch_rows, "Stream", "Rows of each write [1000]")
      ->check(WholeNumber(1));
  add("--rate", flags.stream.rows_per_s, "Stream", "Rows that come in each second [0: flat out]")
      ->check(WholeNumber(0));
  add("--repeat", flags.stream.repeat, "Stream",
      "Stream all rows N times, each time into a new index [1]")
      ->check(WholeNumber(1));
  add("--capacity", flags.stream.capacity, "Stream", "Rows of a partition's primary storage [64]")
      ->check(WholeNumber(1));
  add("--queries", flags.num_queries, "Search",
      "Hold out the last N rows of the file as queries [1000]")
      ->check(WholeNumber(1));
  add("--query-threads", flags.stream.query_threads, "Search",
      "Threads, each searching for one query after the other [1]")
      ->check(WholeNumber(1));
  add("-k,--k", flags.stream.k, "Search", "Rows to find for each query [10]")
      ->check(WholeNumber(1));
  add("--nprobes", flags.stream.nprobes, "Search", "Partitions to look into [20]")
      ->check(WholeNumber(0));
  add("--refine-factor", flags.stream.refine_factor, "Search",
      "Rank the k x N nearest by their exact distance [0: no]")
      ->check(WholeNumber(0));
}

}  // namespace

Verb AddBenchStream(CLI::App& bench) {
  const auto flags = std::make_shared<StreamFlags>();
  CLI::App* const command = bench.add_subcommand(
      "stream", "Write the rows of a file into an index while others search it.");
  command->add_option("INPUT", flags->input, "Vectors: .npy, .fvecs, Arrow IPC or Parquet")
      ->option_text(" ")
      ->required();
  command
      ->add_option("--column", flags->file.column,
                   "Column of an Arrow or Parquet file [the only fixed_size_list]")
      ->option_text("NAME");
  command
      ->add_option("--threads", flags->training.num_threads,
                   "Threads for training and for exact answers [all there are]")
      ->option_text("N")
      ->check(WholeNumber(1));
  command->add_flag("--json", flags->json, "Print one JSON object, and no progress");
  AddStreamOptions(*command, *flags);
  CLI::Option* const model =
      command->add_option("--model", flags->model, "A model file; else one is trained")
          ->option_text("FILE")
          ->group("Model");
  CLI::Option* const train_rows =
      command
          ->add_option("--train-rows", flags->train_rows,
                       "Train on the first N rows [partitions x sample rate]")
          ->option_text("N")
          ->group("Model")
          ->check(WholeNumber(1));
  model->excludes(train_rows);
  for (CLI::Option* const option : AddTrainingFlags(*command, flags->training)) {
    model->excludes(option);
  }
  command->footer(
      "Reports rows written per second; the time from a batch's arrival until searches see it;\n"
      "search latency under that load and, with as many threads, after it; recall against the\n"
      "exact answer over the rows that each search saw (of searches under load, if there were\n"
      "any); and the index's memory.\n"
      "\n"
      "Examples:\n"
      "  forebay bench stream glove.npy --shuffle --metric cosine --nprobes 32 --refine-factor 10\n"
      "  forebay bench stream words.parquet --model words.model --rate 10000 --query-threads 2\n"
      "  forebay bench stream sift.fvecs --json | jq .search_load_p99_us");
  return {command, [flags] { return RunBenchStream(*flags); }};
}

}  // namespace forebay::cli
