#include "training.h"

#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <thread>
#include <utility>

#include "whole_number.h"

namespace forebay::cli {

std::vector<CLI::Option*> AddTrainingFlags(CLI::App& command, TrainingFlags& flags) {
  flags.num_threads = HardwareThreads();
  std::vector<CLI::Option*> options;
  const auto add = [&](const char* name, auto& value, const char* type, const std::string& text) {
    CLI::Option* const option = command.add_option(name, value, text);
    options.push_back(option->option_text(type)->group("Model"));
    return option;
  };
  add("--metric", flags.metric, "l2|cosine|dot", "How distances are measured [l2]")
      ->check(CLI::IsMember({"l2", "cosine", "dot"}));
  add("--num-partitions", flags.num_partitions, "N",
      "Partitions [the power of two nearest to the square root of the rows]")
      ->check(WholeNumber(1));
  add("--num-sub-vectors", flags.num_sub_vectors, "N",
      "Sub-vectors of a code [as many as make a byte for 4 dimensions]")
      ->check(WholeNumber(1));
  add("--num-bits", flags.num_bits, "4|8", "Bits of a sub-vector's code [8]")
      ->check(CLI::IsMember({4U, 8U}));
  CLI::Option* const residual =
      command.add_flag("--residual", flags.residual, "Codes of the difference to the centroid")
          ->option_text(" ")
          ->group("Model");
  CLI::Option* const raw =
      command.add_flag("--raw", flags.raw, "Codes of the vector itself [dot; else --residual]")
          ->option_text(" ")
          ->group("Model")
          ->excludes(residual);
  options.insert(options.end(), {residual, raw});
  add("--sample-rate", flags.sample_rate, "N",
      fmt::format("Train on at most N rows for each centroid or codeword [{}]", flags.sample_rate))
      ->check(WholeNumber(1));
  add("--max-iters", flags.max_iters, "N",
      fmt::format("Iterations of k-means for the centroids [{}]", flags.max_iters))
      ->check(WholeNumber(1));
  add("--pq-max-iters", flags.pq_max_iters, "N",
      fmt::format("Iterations of k-means for the codewords [{}]", flags.pq_max_iters))
      ->check(WholeNumber(1));
  add("--seed", flags.seed, "N", fmt::format("Seed of the sampling [{}]", flags.seed))
      ->check(WholeNumber(0));
  return options;
}

Result<TrainOptions> ResolveTraining(const TrainingFlags& flags, std::size_t num_rows,
                                     std::size_t dim) {
  const Result<Metric> metric = ParseMetric(flags.metric.value_or("l2"));
  if (!metric.ok()) {
    return metric.status();
  }
  TrainOptions options;
  options.num_bits = flags.num_bits;
  options.metric = *metric;
  options.sample_rate = flags.sample_rate;
  options.max_iters = flags.max_iters;
  options.pq_max_iters = flags.pq_max_iters;
  options.seed = flags.seed;
  options.num_threads = flags.num_threads;
  options.num_partitions = flags.num_partitions.value_or(DefaultNumPartitions(num_rows));
  if (flags.residual || flags.raw) {
    options.residual = flags.residual;
  }
  if (flags.num_sub_vectors) {
    options.num_sub_vectors = *flags.num_sub_vectors;
    return options;
  }
  const Result<std::size_t> num_sub_vectors = DefaultNumSubVectors(dim, flags.num_bits);
  if (!num_sub_vectors.ok()) {
    return num_sub_vectors.status();
  }
  options.num_sub_vectors = *num_sub_vectors;
  return options;
}

void ShowProgress(TrainOptions& options, Progress& progress) {
  options.progress = [&progress](const TrainProgress& step) {
    progress.Update(fmt::format("training the {}", step.stage), step.done, step.total);
    return true;
  };
}

Result<IvfPqModel> TrainWithProgress(VectorView vectors, TrainOptions options, Progress& progress) {
  ShowProgress(options, progress);
  auto model = Train(vectors, options);
  progress.Clear();
  return model;
}

std::string FingerprintText(const IvfPqModel& model) {
  return fmt::format("{:016x}", model.fingerprint());
}

std::size_t HardwareThreads() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace forebay::cli
