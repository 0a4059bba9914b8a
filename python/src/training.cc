#include "training.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "bindings.h"
#include "gil.h"
#include "status_error.h"
#include "vectors.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

constexpr std::chrono::milliseconds kSignalInterval(50);

/// What the training thread tells the caller's thread, and the other way round.
class Mailbox {
 public:
  /// Training thread. False when the training shall stop.
  bool Post(const TrainProgress& step) {
    const std::scoped_lock lock(mutex_);
    steps_.push_back(step);
    changed_.notify_one();
    return !cancelled_;
  }
  /// Training thread.
  void Finish() {
    const std::scoped_lock lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }

  /// Caller's thread, without the GIL: waits for news, though not for long. False once all is said.
  bool Wait(std::deque<TrainProgress>* steps) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kSignalInterval, [this] { return finished_ || !steps_.empty(); });
    *steps = std::exchange(steps_, {});
    return !finished_ || !steps->empty();
  }
  /// Caller's thread.
  void Cancel() {
    const std::scoped_lock lock(mutex_);
    cancelled_ = true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<TrainProgress> steps_;
  bool finished_ = false;
  bool cancelled_ = false;
};

/// Both stages as one count.
std::pair<std::size_t, std::size_t> OverallProgress(const TrainOptions& options,
                                                    const TrainProgress& step) {
  const std::size_t centroids = options.max_iters;
  const std::size_t codebook = options.num_sub_vectors * options.pq_max_iters;
  const std::size_t before = step.stage == "centroids" ? 0 : centroids;
  return {before + step.done, centroids + codebook};
}

/// Runs in the caller's thread with the GIL; throws what the callback or a signal raised.
void Tell(const TrainOptions& options, const std::deque<TrainProgress>& steps,
          const nb::object& progress) {
  if (PyErr_CheckSignals() != 0) {
    throw nb::python_error();
  }
  if (progress.is_none()) {
    return;
  }
  for (const TrainProgress& step : steps) {
    const auto [done, total] = OverallProgress(options, step);
    progress(done, total);
  }
}

bool WaitWithoutGil(Mailbox* mailbox, std::deque<TrainProgress>* steps) {
  const ReleaseGil released;
  return mailbox->Wait(steps);
}

}  // namespace

TrainOptions TrainArguments::For(std::size_t num_rows, std::size_t dim) const {
  TrainOptions made = options;
  made.num_partitions = num_partitions.value_or(DefaultNumPartitions(num_rows));
  made.num_sub_vectors = num_sub_vectors.has_value()
                             ? *num_sub_vectors
                             : ValueOrThrow(DefaultNumSubVectors(dim, options.num_bits));
  return made;
}

void TrainInThread(TrainOptions options, const nb::object& progress,
                   const std::function<Status(const TrainOptions&)>& train) {
  Mailbox mailbox;
  options.progress = [&mailbox](const TrainProgress& step) { return mailbox.Post(step); };
  Status trained = Status::Cancelled("training did not start");
  std::jthread training([&] {
    trained = train(options);
    mailbox.Finish();
  });
  std::optional<nb::python_error> error;
  std::deque<TrainProgress> steps;
  while (WaitWithoutGil(&mailbox, &steps)) {
    if (error.has_value()) {
      continue;  // Cancelled; the training will notice at the end of its iteration.
    }
    try {
      Tell(options, steps, progress);
    } catch (nb::python_error& raised) {
      error.emplace(std::move(raised));
      mailbox.Cancel();
    }
  }
  training.join();
  if (error.has_value()) {
    throw nb::python_error(std::move(*error));
  }
  ThrowIfError(trained);
}

void BindTraining(nb::module_& module) {
  nb::class_<TrainArguments>(module, "TrainOptions", "TrainOptions; None depends on the rows.")
      .def(
          "__init__",
          [](TrainArguments* self, std::optional<std::size_t> num_partitions,
             std::optional<std::size_t> num_sub_vectors, unsigned num_bits,
             const std::string& metric, std::optional<bool> residual, std::size_t sample_rate,
             std::size_t max_iters, std::size_t pq_max_iters, std::uint64_t seed,
             std::size_t num_threads) {
            const TrainOptions options = {.num_bits = num_bits,
                                          .metric = ValueOrThrow(ParseMetric(metric)),
                                          .residual = residual,
                                          .sample_rate = sample_rate,
                                          .max_iters = max_iters,
                                          .pq_max_iters = pq_max_iters,
                                          .seed = seed,
                                          .num_threads = num_threads};
            new (self) TrainArguments{options, num_partitions, num_sub_vectors};
          },
          nb::kw_only(), "num_partitions"_a.none(), "num_sub_vectors"_a.none(), "num_bits"_a,
          "metric"_a, "residual"_a.none(), "sample_rate"_a, "max_iters"_a, "pq_max_iters"_a,
          "seed"_a, "num_threads"_a);
  module.def(
      "train",
      [](const Vectors& vectors, const TrainArguments& arguments, const nb::object& progress) {
        std::optional<IvfPqModel> model;
        TrainInThread(arguments.For(vectors.num_rows(), vectors.dim()), progress,
                      [&](const TrainOptions& options) -> Status {
                        Result<IvfPqModel> trained = vectors.WithContiguous(
                            "row", [&](VectorView rows) { return Train(rows, options); });
                        if (!trained.ok()) {
                          return trained.status();
                        }
                        model = *std::move(trained);
                        return {};
                      });
        return *std::move(model);
      },
      "vectors"_a, "options"_a, "progress"_a.none());
}

}  // namespace forebay::python
