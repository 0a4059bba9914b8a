// forebay train: from a file of vectors to a file with a model; or a table, in place.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <CLI/Option.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "forebay/file.h"
#include "forebay/model.h"
#include "model_report.h"
#include "progress.h"
#include "quantities.h"
#include "table/train_table.h"
#include "training.h"
#include "vector_file.h"
#include "verbs.h"
#include "whole_number.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

struct TrainFlags {
  fs::path input;
  fs::path out;
  VectorFileOptions file;
  TrainingFlags training;
  bool json = false;
};

/// A mistyped --out should not cost a training.
Status CheckFolder(const fs::path& out) {
  std::error_code error;
  const fs::path folder = out.has_parent_path() ? out.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, error)) {
    return Status::IoError(
        fmt::format("cannot write {}: there is no folder {}", out.string(), folder.string()));
  }
  return Status::Ok();
}

void Report(const TrainFlags& flags, const IvfPqModel& model, std::size_t rows, double seconds,
            std::size_t bytes) {
  if (flags.json) {
    nlohmann::ordered_json report = {
        {"model", flags.out.string()}, {"rows", rows}, {"seconds", seconds}};
    report.update(ModelJson(model, bytes));
    fmt::print("{}\n", report.dump());
    return;
  }
  fmt::print("trained on {} rows in {}\n{}written to    {}\n", Count(rows), Duration(seconds * 1e6),
             ModelText(model, bytes), flags.out.string());
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

Status RunTrain(const TrainFlags& flags) {
  if (flags.out.empty()) {
    return TrainTable(flags.input, flags.training, flags.json);
  }
  if (IsFolder(flags.input)) {
    return Status::InvalidArgument(
        fmt::format("{}: expected a file, it is a directory; leave out --out to train a table",
                    flags.input.string()));
  }
  if (Status folder = CheckFolder(flags.out); !folder.ok()) {
    return folder;
  }
  const Result<VectorFile> file = ReadVectorFile(flags.input, flags.file);
  if (!file.ok()) {
    return file.status();
  }
  const auto options = ResolveTraining(flags.training, file->num_rows, file->dim);
  if (!options.ok()) {
    return options.status();
  }
  Progress progress(!flags.json);
  const auto start = std::chrono::steady_clock::now();
  const Result<IvfPqModel> model = TrainWithProgress(file->view(), *options, progress);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (!model.ok()) {
    return model.status();
  }
  const auto bytes = model->Serialize();
  if (Status written = WriteFile(flags.out, bytes); !written.ok()) {
    return written;
  }
  Report(flags, *model, file->num_rows, took.count(), bytes.size());
  return Status::Ok();
}

}  // namespace

Verb AddTrain(CLI::App& app) {
  const auto flags = std::make_shared<TrainFlags>();
  CLI::App* const command =
      app.add_subcommand("train", "Train a model on a file of vectors, or for a table.");
  command
      ->add_option("INPUT", flags->input, "Vectors: .npy, .fvecs, Arrow IPC or Parquet; or a table")
      ->option_text(" ")
      ->required();
  CLI::Option* const out =
      command->add_option("-o,--out", flags->out, "Where the model goes; required for a file")
          ->option_text("MODEL");
  CLI::Option* const column =
      command
          ->add_option("--column", flags->file.column,
                       "Column of an Arrow or Parquet file [the only fixed_size_list]")
          ->option_text("NAME");
  CLI::Option* const rows =
      command->add_option("--rows", flags->file.max_rows, "Use the first N rows [all]")
          ->option_text("N")
          ->check(WholeNumber(1));
  command
      ->add_option("--threads", flags->training.num_threads,
                   "Threads; any number gives the same model [all there are]")
      ->option_text("N")
      ->check(WholeNumber(1));
  command->add_flag("--json", flags->json, "Print one JSON object, and no progress");
  AddTrainingFlags(*command, flags->training);
  command->parse_complete_callback([=] {
    if (out->count() > 0) {
      return;
    }
    if (!IsFolder(flags->input)) {
      throw CLI::RequiredError("--out");
    }
    if (column->count() + rows->count() > 0) {
      throw CLI::ValidationError("--column and --rows are for files, INPUT is a table");
    }
  });
  command->footer(
      "Examples:\n"
      "  forebay train glove.npy --out glove.model --metric cosine\n"
      "  forebay train sift.fvecs -o sift.model --num-partitions 1024 --num-bits 4\n"
      "  forebay train words.parquet -o words.model --column embedding --rows 100000\n"
      "  forebay train words --num-partitions 256");
  return {command, [flags] { return RunTrain(*flags); }};
}

}  // namespace forebay::cli
