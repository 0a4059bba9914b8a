// Search: check the call, take one snapshot, spread the queries over threads.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <variant>

#include "base/no_throw.h"
#include "base/workers.h"
#include "index/mem_index_impl.h"
#include "index/searched_parts.h"
#include "index/tile_search.h"
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
  for (std::size_t i = 0; i < queries.num_rows; ++i) {
    const auto defect = model::CheckVector(model.metric(), queries.row(i), queries.dim);
    if (defect != model::Defect::kNone) {
      return Status::InvalidArgument(fmt::format("query {} {}", i, model::DefectText(defect)));
    }
  }
  return Status::Ok();
}

/// The thread's scratch memory, which is kept for its next search, so that a warm one allocates
/// little but its result. Of its own where the thread is in a search already: raw_vectors may
/// search.
class ThreadScratch {
 public:
  ThreadScratch() {
    if (OfThread().taken) {
      own_ = std::make_unique<index::SearchScratch>();
    } else {
      OfThread().taken = true;
    }
  }
  ~ThreadScratch() {
    if (own_ == nullptr) {
      OfThread().taken = false;
      if (OfThread().scratch.num_rows() > kMostKeptRows) {
        OfThread().scratch = index::SearchScratch();
      }
    }
  }
  ThreadScratch(const ThreadScratch&) = delete;
  ThreadScratch& operator=(const ThreadScratch&) = delete;

  [[nodiscard]] index::SearchScratch* get() const {
    return own_ != nullptr ? own_.get() : &OfThread().scratch;
  }

 private:
  static constexpr std::size_t kMostKeptRows = std::size_t{1} << 17U;  // About 8 MiB.

  struct Kept {
    index::SearchScratch scratch;
    bool taken = false;
  };
  static Kept& OfThread() {
    thread_local Kept kept;
    return kept;
  }

  std::unique_ptr<index::SearchScratch> own_;
};

/// Large tiles share more, but each thread should get several, to even out their cost.
std::size_t TileSize(const IvfPqModel& model, std::size_t num_candidates, std::size_t num_queries,
                     std::size_t num_threads) {
  const std::size_t share = num_threads == 1 ? num_queries : num_queries / (num_threads * 4) + 1;
  return std::min(index::TileSearch::NumQueries(model, num_candidates),
                  std::max<std::size_t>(share, 1));
}

}  // namespace

namespace index {

Result<SearchResult> SearchTogether(std::span<const SearchPart> parts, VectorView queries,
                                    const SearchOptions& options) {
  return NoThrow([&]() -> Result<SearchResult> {
    const IvfPqModel& model = parts.front().index->model;
    if (Status status = CheckCall(model, queries, options); !status.ok()) {
      return status;
    }
    SearchResult result;
    for (const SearchPart& part : parts) {
      result.snapshot += part.snapshot;
    }
    result.hits.resize(queries.num_rows);
    result.stats.resize(queries.num_rows);
    const std::size_t num_threads =
        std::max<std::size_t>(std::min(options.num_threads, queries.num_rows), 1);
    std::mutex mutex;
    std::size_t failed_tile = queries.num_rows;
    Status first_failure;
    Workers workers(num_threads);
    const std::size_t tile = TileSize(model, NumCandidates(options), queries.num_rows, num_threads);
    workers.ForRanges(queries.num_rows, tile, [&](std::size_t begin, std::size_t end) {
      const ThreadScratch scratch;
      TileSearch search(parts, options, scratch.get());
      const std::size_t size = end - begin;
      Status status = search.Run({queries.row(begin), size, queries.dim},
                                 std::span(result.hits).subspan(begin, size),
                                 std::span(result.stats).subspan(begin, size));
      if (!status.ok()) {
        const std::scoped_lock lock(mutex);
        if (begin < failed_tile) {
          failed_tile = begin;
          first_failure = status;
        }
      }
    });
    if (!first_failure.ok()) {
      return first_failure;
    }
    return result;
  });
}

}  // namespace index

Result<SearchResult> IvfPqMemIndex::Impl::Search(VectorView queries,
                                                 const SearchOptions& opts) const {
  if (Status status = CheckEligibility(opts); !status.ok()) {
    return status;
  }
  const index::SearchPart all = {
      .index = this,
      .snapshot = num_visible.LoadAcquire(),
      .eligible = {
          .filter = opts.filter.has_value() ? &*opts.filter : nullptr,
          .hidden_ordinals = opts.hidden_ordinals.has_value() ? &*opts.hidden_ordinals : nullptr,
          .max_row_position = opts.max_row_position}};
  return index::SearchTogether({&all, 1}, queries, opts);
}

}  // namespace forebay
