// Search: check the call, take one snapshot, spread the queries over threads.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <span>
#include <string_view>
#include <variant>

#include "base/no_throw.h"
#include "base/workers.h"
#include "index/mem_index_impl.h"
#include "index/query_search.h"
#include "model/vector_check.h"

namespace forebay {
namespace {

Status CheckBitmap(const Bitmap& bitmap, std::string_view name) {
  const std::uint64_t num_words = bitmap.size / 64 + (bitmap.size % 64 != 0 ? 1 : 0);
  if (bitmap.words.size() < num_words) {
    return Status::InvalidArgument(
        fmt::format("{}: a bitmap of size {} needs {} words; got {}; give all words, or the size "
                    "that they hold",
                    name, bitmap.size, num_words, bitmap.words.size()));
  }
  return Status::Ok();
}

Status CheckFilter(const RowFilter& filter) {
  if (const auto* bitmap = std::get_if<Bitmap>(&filter)) {
    return CheckBitmap(*bitmap, "filter");
  }
  const auto& positions = std::get<std::span<const std::uint64_t>>(filter);
  const auto unsorted = std::is_sorted_until(positions.begin(), positions.end());
  if (unsorted != positions.end()) {
    return Status::InvalidArgument(fmt::format(
        "filter: positions must ascend; got {} after {}; sort them", *unsorted, *(unsorted - 1)));
  }
  return Status::Ok();
}

Status CheckEligibility(const SearchOptions& options) {
  if (options.filter) {
    if (Status status = CheckFilter(*options.filter); !status.ok()) {
      return status;
    }
  }
  return options.hidden_ordinals ? CheckBitmap(*options.hidden_ordinals, "hidden_ordinals")
                                 : Status::Ok();
}

Status CheckCall(const IvfPqModel& model, VectorView queries, const SearchOptions& options) {
  if (queries.num_rows > 0 && queries.dim != model.dim()) {
    return Status::InvalidArgument(
        fmt::format("queries must have the model's dimension {}; got [{}][{}]", model.dim(),
                    queries.num_rows, queries.dim));
  }
  if (options.refine_factor > 0 && !options.raw_vectors) {
    return Status::InvalidArgument(
        "refine_factor needs raw_vectors, from which the exact distances are taken");
  }
  if (std::isnan(options.distance_lower) || std::isnan(options.distance_upper)) {
    return Status::InvalidArgument("distance_lower and distance_upper must not be NaN");
  }
  if (Status status = CheckEligibility(options); !status.ok()) {
    return status;
  }
  for (std::size_t i = 0; i < queries.num_rows; ++i) {
    const auto defect = model::CheckVector(model.metric(), queries.row(i), queries.dim);
    if (defect != model::Defect::kNone) {
      return Status::InvalidArgument(fmt::format("query {} {}", i, model::DefectText(defect)));
    }
  }
  return Status::Ok();
}

}  // namespace

Result<SearchResult> IvfPqMemIndex::Impl::Search(VectorView queries,
                                                 const SearchOptions& opts) const {
  return NoThrow([&]() -> Result<SearchResult> {
    if (Status status = CheckCall(model, queries, opts); !status.ok()) {
      return status;
    }
    SearchResult result;
    result.snapshot = num_visible.LoadAcquire();
    result.hits.resize(queries.num_rows);
    result.stats.resize(queries.num_rows);
    const std::size_t num_threads =
        std::max<std::size_t>(std::min(opts.num_threads, queries.num_rows), 1);
    // A few ranges for each thread even out queries of different cost.
    const std::size_t grain = queries.num_rows / (num_threads * 4) + 1;
    std::mutex mutex;
    std::size_t failed_query = queries.num_rows;
    Status first_failure;
    Workers workers(num_threads);
    workers.ForRanges(queries.num_rows, grain, [&](std::size_t begin, std::size_t end) {
      index::QuerySearch search(*this, opts, result.snapshot);
      for (std::size_t i = begin; i < end; ++i) {
        if (Status status = search.Run(queries.row(i), &result.hits[i], &result.stats[i]);
            !status.ok()) {
          const std::scoped_lock lock(mutex);
          if (i < failed_query) {
            failed_query = i;
            first_failure = status;
          }
          return;
        }
      }
    });
    if (!first_failure.ok()) {
      return first_failure;
    }
    return result;
  });
}

}  // namespace forebay
