#include "model/kmeans.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "model/packed_matrix.h"
#include "model/sampling.h"
#include "simd/dispatch.h"

namespace forebay::model {
namespace {

constexpr std::size_t kRowsPerTask = 1024;
constexpr std::size_t kClustersPerTask = 16;
constexpr double kMinImprovement = 1e-4;
/// Of the squared norms: what is left of an error of zero in float32.
constexpr double kNoError = 1e-7;

class Lloyd {
 public:
  Lloyd(const simd::StridedRows& rows, const KMeansOptions& options, Workers* workers)
      : rows_(rows),
        options_(options),
        workers_(*workers),
        squared_norms_(rows.num_rows),
        nearest_(rows.num_rows),
        errors_(rows.num_rows),
        starts_(options.num_clusters + 1),
        members_(rows.num_rows) {}

  KMeansResult Run() {
    ChooseInitialCentroids();
    ComputeNorms();
    double last_error = std::numeric_limits<double>::infinity();
    for (std::size_t iteration = 1; iteration <= options_.max_iters; ++iteration) {
      Assign();
      const double error = std::accumulate(errors_.begin(), errors_.end(), 0.0);
      const bool exact = error <= kNoError * total_squared_norm_;
      GroupByCluster();
      const bool repaired = !exact && RepairEmptyClusters();
      UpdateCentroids();
      if (options_.on_iteration && !options_.on_iteration(iteration)) {
        return {.centroids = std::move(centroids_), .cancelled = true};
      }
      if (exact || (!repaired && last_error - error < kMinImprovement * last_error)) {
        break;
      }
      last_error = error;
    }
    return {.centroids = std::move(centroids_)};
  }

 private:
  [[nodiscard]] const float* Row(std::size_t i) const { return rows_.data + i * rows_.stride; }

  float* Centroid(std::size_t c) { return centroids_.data() + c * options_.dim; }

  void ChooseInitialCentroids() {
    centroids_.resize(options_.num_clusters * options_.dim);
    const auto chosen = SampleAscending(rows_.num_rows, options_.num_clusters, options_.seed);
    for (std::size_t c = 0; c < chosen.size(); ++c) {
      std::copy_n(Row(chosen[c]), options_.dim, Centroid(c));
      Normalize(Centroid(c));
    }
  }

  void ComputeNorms() {
    workers_.ForRanges(rows_.num_rows, kRowsPerTask, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        squared_norms_[i] = simd::Active().dot(Row(i), Row(i), options_.dim);
      }
    });
    total_squared_norm_ = std::accumulate(squared_norms_.begin(), squared_norms_.end(), 0.0);
  }

  /// The nearest centroid of each row, and the squared distance to it.
  void Assign() {
    const Bias bias = options_.spherical ? Bias::kNone : Bias::kNearest;
    const double centroid_norm = options_.spherical ? 1 : 0;  // Else the bias has it.
    const PackedMatrix packed =
        PackedMatrix::Pack({centroids_.data(), options_.num_clusters, options_.dim}, bias);
    workers_.ForRanges(rows_.num_rows, kRowsPerTask, [&](std::size_t begin, std::size_t end) {
      float scores[kRowsPerTask];
      simd::Active().nearest(packed.view(), {Row(begin), end - begin, rows_.stride},
                             nearest_.data() + begin, scores);
      for (std::size_t i = begin; i < end; ++i) {
        errors_[i] = static_cast<double>(squared_norms_[i]) + centroid_norm -
                     2 * static_cast<double>(scores[i - begin]);
      }
    });
  }

  /// Lists the rows of each cluster, in order.
  void GroupByCluster() {
    std::fill(starts_.begin(), starts_.end(), 0);
    for (const std::uint32_t c : nearest_) {
      ++starts_[c + 1];
    }
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    std::vector<std::size_t> next(starts_.begin(), starts_.end() - 1);
    for (std::size_t i = 0; i < nearest_.size(); ++i) {
      members_[next[nearest_[i]]++] = i;
    }
  }

  [[nodiscard]] std::span<const std::size_t> Members(std::size_t c) const {
    return {members_.data() + starts_[c], starts_[c + 1] - starts_[c]};
  }

  /// Gives each empty cluster a row; false when none was empty.
  bool RepairEmptyClusters() {
    std::vector<double> errors(options_.num_clusters);
    std::vector<std::size_t> counts(options_.num_clusters);
    for (std::size_t c = 0; c < counts.size(); ++c) {
      counts[c] = Members(c).size();
      for (const std::size_t i : Members(c)) {
        errors[c] += errors_[i];
      }
    }
    bool repaired = false;
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (Members(c).empty()) {
        const std::size_t donor = WorstCluster(errors, counts);
        const std::size_t row = FarthestRow(donor);
        errors[donor] -= errors_[row];
        --counts[donor];
        counts[c] = 1;
        nearest_[row] = static_cast<std::uint32_t>(c);
        errors_[row] = 0;  // It is its own centroid now.
        repaired = true;
      }
    }
    if (repaired) {
      GroupByCluster();
    }
    return repaired;
  }

  /// Of the clusters with several rows the one whose errors add up to the most.
  static std::size_t WorstCluster(const std::vector<double>& errors,
                                  const std::vector<std::size_t>& counts) {
    std::size_t worst = counts.size();
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] > 1 && (worst == counts.size() || errors[c] > errors[worst])) {
        worst = c;
      }
    }
    return worst;
  }

  /// Of the rows that are still in the cluster.
  [[nodiscard]] std::size_t FarthestRow(std::size_t cluster) const {
    std::size_t farthest = rows_.num_rows;
    for (const std::size_t i : Members(cluster)) {
      if (nearest_[i] == cluster &&
          (farthest == rows_.num_rows || errors_[i] > errors_[farthest])) {
        farthest = i;
      }
    }
    return farthest;
  }

  void UpdateCentroids() {
    workers_.ForRanges(options_.num_clusters, kClustersPerTask,
                       [&](std::size_t begin, std::size_t end) {
                         std::vector<double> sums(options_.dim);
                         for (std::size_t c = begin; c < end; ++c) {
                           UpdateCentroid(c, &sums);
                         }
                       });
  }

  void UpdateCentroid(std::size_t c, std::vector<double>* sums) {
    if (Members(c).empty()) {
      return;  // No row to move it to that would lower the error.
    }
    std::fill(sums->begin(), sums->end(), 0.0);
    for (const std::size_t i : Members(c)) {
      for (std::size_t d = 0; d < options_.dim; ++d) {
        (*sums)[d] += static_cast<double>(Row(i)[d]);
      }
    }
    const auto count = static_cast<double>(Members(c).size());
    for (std::size_t d = 0; d < options_.dim; ++d) {
      Centroid(c)[d] = static_cast<float>((*sums)[d] / count);
    }
    Normalize(Centroid(c));
  }

  /// Under spherical k-means; a zero centroid stays zero.
  void Normalize(float* centroid) const {
    if (!options_.spherical) {
      return;
    }
    const float norm = std::sqrt(simd::Active().dot(centroid, centroid, options_.dim));
    for (std::size_t d = 0; d < options_.dim && norm > 0; ++d) {
      centroid[d] /= norm;
    }
  }

  const simd::StridedRows rows_;
  const KMeansOptions& options_;
  Workers& workers_;
  std::vector<float> centroids_;
  std::vector<float> squared_norms_;
  double total_squared_norm_ = 0;
  std::vector<std::uint32_t> nearest_;
  std::vector<double> errors_;
  std::vector<std::size_t> starts_;   // Of each cluster in members_.
  std::vector<std::size_t> members_;  // Rows, grouped by cluster.
};

}  // namespace

KMeansResult KMeans(const simd::StridedRows& rows, const KMeansOptions& options, Workers* workers) {
  assert(options.num_clusters >= 1 && options.num_clusters <= rows.num_rows);
  return Lloyd(rows, options, workers).Run();
}

}  // namespace forebay::model
