#include "counted_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "status_error.h"

namespace forebay::python {
namespace {

constexpr std::uint64_t kMaxPosition = std::numeric_limits<std::int64_t>::max();
constexpr auto kRelaxed = std::memory_order_relaxed;

Status TooGreat(std::uint64_t position) {
  return Status::InvalidArgument(
      fmt::format("row positions must be at most 2^63 - 1, the greatest int64; got {}", position));
}

/// Shows each insert's rows to the store before searches can find them.
MemIndexOptions WithStore(MemIndexOptions options, VectorStore* store) {
  if (store != nullptr) {
    options.before_publish = [store](const AcceptedRows& rows) {
      store->Append(rows);
      return Status::Ok();
    };
  }
  return options;
}

}  // namespace

CountedIndex::CountedIndex(const IvfPqModel& model, MemIndexOptions options, bool keep_vectors)
    : store_(keep_vectors ? std::make_unique<VectorStore>(model.dim()) : nullptr),
      index_(
          ValueOrThrow(IvfPqMemIndex::Create(model, WithStore(std::move(options), store_.get())))) {
}

CountedIndex::CountedIndex(IvfPqMemIndex opened, std::optional<FloatRows> vectors)
    : index_(std::move(opened)) {
  if (!vectors.has_value()) {
    return;
  }
  if (vectors->shape(0) != index_.size() || vectors->shape(1) != index_.model().dim()) {
    throw StatusError(Status::InvalidArgument(fmt::format(
        "vectors must have one row for each of the index, in the order of insertion: [{}, {}]; got "
        "[{}, {}]",
        index_.size(), index_.model().dim(), vectors->shape(0), vectors->shape(1))));
  }
  given_vectors_ = *std::move(vectors);
}

std::vector<VectorBatch> CountedIndex::Place(std::span<const InsertPart> parts,
                                             std::uint64_t* next) {
  std::vector<VectorBatch> placed;
  for (const InsertPart& part : parts) {
    std::uint64_t first = part.first.value_or(*next);
    std::size_t row = 0;
    for (VectorBatch batch : part.vectors->batches()) {
      const std::size_t num_rows = batch.vectors.num_rows;
      if (num_rows == 0) {
        continue;
      }
      std::uint64_t last = 0;
      if (part.positions.has_value()) {
        batch.row_positions = part.positions->subspan(row, num_rows);
        last = *std::max_element(batch.row_positions.begin(), batch.row_positions.end());
      } else {
        batch.first_row_position = first;
        if (first > kMaxPosition) {
          throw StatusError(TooGreat(first));
        }
        last = first + (num_rows - 1);
        first += num_rows;
      }
      if (last > kMaxPosition) {
        throw StatusError(TooGreat(last));
      }
      *next = std::max(*next, last + 1);
      row += num_rows;
      placed.push_back(batch);
    }
  }
  return placed;
}

InsertReport CountedIndex::Insert(std::span<const InsertPart> parts, std::size_t num_threads) {
  const std::unique_lock lock(writer_, std::try_to_lock);
  if (!lock.owns_lock()) {
    throw StatusError(Status::FailedPrecondition(
        "another insert is running; an index has one writer at a time, so queue the inserts"));
  }
  std::uint64_t next = next_row_position_;
  const std::vector<VectorBatch> batches = Place(parts, &next);
  InsertReport report = ValueOrThrow(index_.InsertBatches(batches, num_threads));
  next_row_position_ = next;
  counts_.skipped.fetch_add(report.num_skipped, kRelaxed);
  counts_.dropped.fetch_add(report.num_dropped, kRelaxed);
  counts_.filled.fetch_add(report.num_filled, kRelaxed);
  return report;
}

Result<SearchResult> CountedIndex::Search(VectorView queries, SearchOptions options) const {
  if (store_ != nullptr) {
    options.raw_vectors = [store = store_.get()](std::span<const RowRef> rows, const float** out) {
      std::transform(rows.begin(), rows.end(), out,
                     [store](const RowRef& row) { return store->row(row.ordinal); });
    };
  } else if (given_vectors_.is_valid()) {
    options.raw_vectors = [data = given_vectors_.data(), dim = index_.model().dim()](
                              std::span<const RowRef> rows, const float** out) {
      std::transform(rows.begin(), rows.end(), out,
                     [data, dim](const RowRef& row) { return data + row.ordinal * dim; });
    };
  }
  Result<SearchResult> result = index_.Search(queries, options);
  if (!result.ok()) {
    return result;
  }
  SearchStats sum;
  std::size_t probed_partitions = 0;
  for (const SearchStats& stats : result->stats) {
    probed_partitions += stats.probed_partitions.size();
    sum.num_eligible += stats.num_eligible;
    sum.num_evaluated += stats.num_evaluated;
    sum.num_reranked += stats.num_reranked;
  }
  counts_.queries.fetch_add(result->size(), kRelaxed);
  counts_.probed_partitions.fetch_add(probed_partitions, kRelaxed);
  counts_.eligible_rows.fetch_add(sum.num_eligible, kRelaxed);
  counts_.evaluated_rows.fetch_add(sum.num_evaluated, kRelaxed);
  counts_.reranked_rows.fetch_add(sum.num_reranked, kRelaxed);
  return result;
}

}  // namespace forebay::python
