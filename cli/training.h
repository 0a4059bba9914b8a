// What `train` and `bench stream` have in common: the options of a training, and the training.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "forebay/model.h"
#include "forebay/status.h"
#include "progress.h"

namespace forebay::cli {

/// As given on the command line; what was not given depends on the data.
struct TrainingFlags {
  std::optional<std::size_t> num_partitions;
  std::optional<std::size_t> num_sub_vectors;
  unsigned num_bits = 8;
  std::optional<std::string> metric;  ///< Default: l2, or the table's.
  bool residual = false;
  bool raw = false;
  std::size_t sample_rate = TrainOptions().sample_rate;
  std::size_t max_iters = TrainOptions().max_iters;
  std::size_t pq_max_iters = TrainOptions().pq_max_iters;
  std::uint64_t seed = TrainOptions().seed;
  std::size_t num_threads = 1;  ///< AddTrainingFlags makes it the hardware's.
};

/// Adds the options, and gives them back.
std::vector<CLI::Option*> AddTrainingFlags(CLI::App& command, TrainingFlags& flags);

/// `num_rows` are the rows that will be indexed, which may be more than those trained on.
Result<TrainOptions> ResolveTraining(const TrainingFlags& flags, std::size_t num_rows,
                                     std::size_t dim);

/// Makes a training show its progress there.
void ShowProgress(TrainOptions& options, Progress& progress);

/// Trains, showing progress.
Result<IvfPqModel> TrainWithProgress(VectorView vectors, TrainOptions options, Progress& progress);

/// As 16 hexadecimal digits.
std::string FingerprintText(const IvfPqModel& model);

/// The threads that the machine runs at once, at least 1.
std::size_t HardwareThreads();

}  // namespace forebay::cli
