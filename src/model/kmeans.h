// k-means (Lloyd's algorithm), the same for any number of threads.
//
// Thread safety: a pure function of its arguments; Workers belongs to one call at a time.
//
// Invariants:
//   1. Sums over rows are taken in the order of the rows, in float64, whoever takes them.
//   2. Ties go to the lowest index everywhere: nearest centroid, worst cluster, farthest row.
//   3. An empty cluster takes over the row farthest from its centroid in the cluster with the
//      greatest sum of squared distances: the one with most rows may hold nothing but copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/workers.h"
#include "simd/kernels.h"

namespace forebay::model {

struct KMeansOptions {
  std::size_t num_clusters = 0;
  std::size_t dim = 0;
  std::size_t max_iters = 0;
  std::uint64_t seed = 0;
  /// Centroids have unit length and rows go to the greatest inner product (as Faiss trains its
  /// IVF for inner products).
  bool spherical = false;
  /// Called after each iteration with the number done; false stops.
  std::function<bool(std::size_t)> on_iteration = nullptr;
};

struct KMeansResult {
  std::vector<float> centroids;  ///< [num_clusters][dim]
  bool cancelled = false;
};

/// Needs num_clusters <= rows.num_rows, both at least 1, and good rows. Stops early when an
/// iteration improves the mean squared error by less than 1e-4 of it. Throws std::bad_alloc.
KMeansResult KMeans(const simd::StridedRows& rows, const KMeansOptions& options, Workers* workers);

}  // namespace forebay::model
