// The exact answers that recall is measured against, by brute force over the raw vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "forebay/index.h"
#include "forebay/model.h"
#include "progress.h"

namespace forebay::cli {

/// What one search of a benchmark saw and answered.
struct SearchSample {
  std::size_t query = 0;
  std::uint32_t snapshot = 0;  ///< It saw the first so many rows.
  std::vector<Hit> hits;
};

/// The rows that are inserted, in the order of their insertion (row i has position i), and the
/// queries.
struct ExactData {
  VectorView rows;
  VectorView queries;
  Metric metric = Metric::kL2;
};

/// The mean, over the samples, of the part of the true k nearest rows of the sample's snapshot
/// that it found (of all rows, when the snapshot had fewer than k). A hit counts when it is no
/// farther than the k-th nearest row, so rows at equal distance count alike. Samples of an empty
/// snapshot are left out; NaN when there are no others.
double MeanRecall(const ExactData& data, const std::vector<SearchSample>& samples, std::size_t k,
                  std::size_t num_threads, Progress& progress);

}  // namespace forebay::cli
