// The timed part of `bench stream`: one thread writes, others search, and what came of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exact_search.h"
#include "forebay/index.h"
#include "forebay/model.h"
#include "forebay/status.h"
#include "latency.h"
#include "progress.h"

namespace forebay::cli {

struct StreamOptions {
  std::size_t batch_rows = 1000;
  std::uint64_t rows_per_s = 0;  ///< 0: flat out.
  std::size_t query_threads = 1;
  std::size_t k = 10;
  std::size_t nprobes = 20;
  std::size_t refine_factor = 0;
  std::size_t capacity = 64;  ///< Rows of each partition's primary storage.
  std::size_t repeat = 1;     ///< Stream everything so many times, into a new index each time.
  /// Keep the answers of about this many searches, under load and idle each, for the recall.
  std::size_t recall_samples = 1000;
};

struct StreamMeasures {
  std::size_t num_rows = 0;  ///< Written in all.
  double ingest_seconds = 0;
  LatencySamples visible;      ///< One for each batch.
  LatencySamples search_load;  ///< Searches that began while rows came in.
  LatencySamples search_idle;  ///< Searches afterwards, in as many threads.
  std::vector<SearchSample> load_answers;
  std::vector<SearchSample> idle_answers;
  double bytes_per_vector = 0;
};

/// Writes `rows` batch by batch, row i with position i. A batch's time to visibility runs from the
/// moment it was due (the moment it was handed over, when flat out) until Insert has returned.
///
/// Checked while it runs: a search that starts after Insert returned sees all those rows. If not,
/// the result is an error.
Result<StreamMeasures> RunStream(const IvfPqModel& model, VectorView rows, VectorView queries,
                                 const StreamOptions& options, Progress& progress);

}  // namespace forebay::cli
