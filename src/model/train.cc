#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/no_throw.h"
#include "base/workers.h"
#include "model/encoder.h"
#include "model/kmeans.h"
#include "model/model_data.h"
#include "model/sampling.h"
#include "model/shape_check.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay {
namespace {

using model::Defect;

constexpr std::size_t kRowsPerTask = 4096;

Status CheckOptions(VectorView vectors, const TrainOptions& options) {
  if (Status shape = model::CheckPqShape(vectors.dim, options.num_sub_vectors, options.num_bits);
      !shape.ok()) {
    return shape;
  }
  if (Status status = model::CheckResidual(options.metric, options.residual.value_or(false));
      !status.ok()) {
    return status;
  }
  if (options.num_partitions == 0 || options.sample_rate == 0 || options.max_iters == 0 ||
      options.pq_max_iters == 0) {
    return Status::InvalidArgument(fmt::format(
        "num_partitions, sample_rate, max_iters and pq_max_iters must be at least 1; "
        "got {}, {}, {} and {}",
        options.num_partitions, options.sample_rate, options.max_iters, options.pq_max_iters));
  }
  const std::size_t num_codewords = std::size_t{1} << options.num_bits;
  if (vectors.num_rows < options.num_partitions || vectors.num_rows < num_codewords) {
    return Status::InvalidArgument(fmt::format(
        "training needs at least as many rows as partitions ({}) and as codewords ({}); got {}; "
        "give more rows, or ask for fewer partitions or 4 bits",
        options.num_partitions, num_codewords, vectors.num_rows));
  }
  return Status::Ok();
}

Status CheckRows(VectorView vectors, Metric metric, Workers* workers) {
  std::mutex mutex;
  std::size_t first_bad = vectors.num_rows;
  workers->ForRanges(vectors.num_rows, kRowsPerTask, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (model::CheckVector(metric, vectors.row(i), vectors.dim) != Defect::kNone) {
        const std::scoped_lock lock(mutex);
        first_bad = std::min(first_bad, i);
        return;
      }
    }
  });
  if (first_bad == vectors.num_rows) {
    return Status::Ok();
  }
  const Defect defect = model::CheckVector(metric, vectors.row(first_bad), vectors.dim);
  return Status::InvalidArgument(fmt::format("row {} {}", first_bad, model::DefectText(defect)));
}

/// Counts finished iterations of both stages and tells the caller.
class Progress {
 public:
  Progress(const TrainOptions& options, std::string_view stage, std::size_t total)
      : options_(options), stage_(stage), total_(total) {}

  /// False when the training shall stop.
  bool Advance(std::size_t steps) {
    const std::scoped_lock lock(mutex_);
    done_ += steps;
    if (!cancelled_ && steps > 0 && options_.progress) {
      cancelled_ = !options_.progress({.stage = stage_, .done = done_, .total = total_});
    }
    return !cancelled_;
  }

 private:
  const TrainOptions& options_;
  const std::string_view stage_;
  const std::size_t total_;
  std::mutex mutex_;
  std::size_t done_ = 0;
  bool cancelled_ = false;
};

Status Cancelled(std::string_view stage) {
  return Status::Cancelled(
      fmt::format("training was cancelled by the progress callback while training the {}", stage));
}

class Trainer {
 public:
  Trainer(VectorView vectors, const TrainOptions& options)
      : vectors_(vectors), options_(options), workers_(options.num_threads) {}

  Result<IvfPqModel> Run() {
    if (Status rows = CheckRows(vectors_, options_.metric, &workers_); !rows.ok()) {
      return rows;
    }
    auto ivf = TrainCentroids();
    if (!ivf.ok()) {
      return ivf.error();
    }
    const bool residual = options_.residual.value_or(options_.metric != Metric::kDot);
    auto pq = TrainCodebook(*ivf, residual);
    if (!pq.ok()) {
      return pq.error();
    }
    return IvfPqModel::Create(options_.metric, *std::move(ivf), *std::move(pq), residual);
  }

 private:
  /// At most sample_rate prepared rows for each cluster, without copying more than that.
  std::vector<float> Sample(std::size_t num_clusters, std::uint64_t seed) {
    const bool all = options_.sample_rate > vectors_.num_rows / num_clusters;  // No overflow here.
    const std::size_t count = all ? vectors_.num_rows : options_.sample_rate * num_clusters;
    const auto chosen = model::SampleAscending(vectors_.num_rows, count, seed);
    std::vector<float> rows(chosen.size() * vectors_.dim);
    workers_.ForRanges(chosen.size(), kRowsPerTask, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        model::Prepare(options_.metric, vectors_.row(chosen[i]), vectors_.dim,
                       rows.data() + i * vectors_.dim);
      }
    });
    return rows;
  }

  Result<IvfModel> TrainCentroids() {
    const std::vector<float> rows = Sample(options_.num_partitions, options_.seed);
    Progress progress(options_, "centroids", options_.max_iters);
    std::size_t last = 0;
    const auto on_iteration = [&](std::size_t iteration) {
      last = iteration;
      return progress.Advance(1);
    };
    const auto result = model::KMeans({rows.data(), rows.size() / vectors_.dim, vectors_.dim},
                                      {.num_clusters = options_.num_partitions,
                                       .dim = vectors_.dim,
                                       .max_iters = options_.max_iters,
                                       .seed = options_.seed,
                                       .spherical = options_.metric == Metric::kDot,
                                       .on_iteration = on_iteration},
                                      &workers_);
    if (result.cancelled || !progress.Advance(options_.max_iters - last)) {
      return Cancelled("centroids");
    }
    return IvfModel::Create({result.centroids.data(), options_.num_partitions, vectors_.dim});
  }

  Result<ProductQuantizer> TrainCodebook(const IvfModel& ivf, bool residual) {
    const std::size_t num_codewords = std::size_t{1} << options_.num_bits;
    // Another seed than that of the centroids, so that the two samples are independent.
    std::vector<float> rows = Sample(num_codewords, options_.seed + 1);
    if (residual) {
      SubtractNearestCentroids(ivf, &rows);
    }
    const std::size_t sub_dim = vectors_.dim / options_.num_sub_vectors;
    std::vector<float> codebook(num_codewords * vectors_.dim);
    Progress progress(options_, "codebook", options_.num_sub_vectors * options_.pq_max_iters);
    std::atomic<bool> cancelled{false};
    workers_.ForEach(options_.num_sub_vectors, [&](std::size_t m) {
      if (cancelled) {
        return;
      }
      std::size_t last = 0;
      const auto on_iteration = [&](std::size_t iteration) {
        last = iteration;
        return progress.Advance(1);
      };
      Workers this_thread(1);
      const auto result =
          model::KMeans({rows.data() + m * sub_dim, rows.size() / vectors_.dim, vectors_.dim},
                        {.num_clusters = num_codewords,
                         .dim = sub_dim,
                         .max_iters = options_.pq_max_iters,
                         .seed = options_.seed + m,
                         .on_iteration = on_iteration},
                        &this_thread);
      if (result.cancelled || !progress.Advance(options_.pq_max_iters - last)) {
        cancelled = true;
      }
      std::copy(result.centroids.begin(), result.centroids.end(),
                codebook.begin() + static_cast<std::ptrdiff_t>(m * num_codewords * sub_dim));
    });
    if (cancelled) {
      return Cancelled("codebook");
    }
    return ProductQuantizer::Create(vectors_.dim, options_.num_sub_vectors, options_.num_bits,
                                    codebook);
  }

  void SubtractNearestCentroids(const IvfModel& ivf, std::vector<float>* rows) {
    const auto packed = model::PackedMatrix::Pack(ivf.centroids(), model::Bias::kNearest);
    const std::size_t dim = vectors_.dim;
    workers_.ForRanges(rows->size() / dim, kRowsPerTask, [&](std::size_t begin, std::size_t end) {
      float* first = rows->data() + begin * dim;
      std::vector<std::uint32_t> partitions(end - begin);
      simd::Active().nearest(packed.view(), {first, end - begin, dim}, partitions.data(), nullptr);
      model::SubtractCentroids(ivf.centroids(), partitions.data(), end - begin, first);
    });
  }

  const VectorView vectors_;
  const TrainOptions& options_;
  Workers workers_;
};

}  // namespace

Result<IvfPqModel> Train(VectorView vectors, const TrainOptions& options) {
  if (Status cpu = simd::CheckActive(); !cpu.ok()) {
    return cpu;
  }
  if (Status status = CheckOptions(vectors, options); !status.ok()) {
    return status;
  }
  return NoThrow([&] { return Trainer(vectors, options).Run(); });
}

}  // namespace forebay
