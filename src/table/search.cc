// Search: one snapshot; by the index where there is a model, else by comparing every live row.
// Distances are exact either way.
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/no_throw.h"
#include "model/vector_check.h"
#include "table/arrow_status.h"
#include "table/exact_search.h"
#include "table/filter.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::Projection;
using table::RowPlace;
using table::RowSet;
using table::Source;
using table::Version;

/// A row of a version, and how far it is.
struct FoundRow {
  float distance = 0;
  RowPlace row;

  friend auto operator<=>(const FoundRow&, const FoundRow&) = default;
};

Status CheckQueries(VectorView queries, const TableSearchOptions& options, Metric metric,
                    std::size_t dim) {
  if (options.refine_factor == 0) {
    return Status::InvalidArgument(
        "refine_factor must be at least 1, as a table's distances are exact; got 0");
  }
  if (queries.num_rows > 0 && queries.dim != dim) {
    return Status::InvalidArgument(fmt::format(
        "queries must have the dimension of the table's vectors, {}; got {}", dim, queries.dim));
  }
  for (std::size_t i = 0; i < queries.num_rows; ++i) {
    const auto defect = model::CheckVector(metric, queries.row(i), dim);
    if (defect != model::Defect::kNone) {
      return Status::InvalidArgument(fmt::format("query {} {}", i, model::DefectText(defect)));
    }
  }
  return Status::Ok();
}

using Hits = std::vector<std::vector<Hit>>;  // One list for each query, of ordinals.

/// `live` is nullptr when all rows are eligible that are not dead.
Result<Hits> SearchIndex(const Source& source, VectorView queries,
                         const TableSearchOptions& options, const RowSet* live,
                         SourceStats* stats) {
  SearchOptions search = {.k = options.k,
                          .nprobes = options.nprobes,
                          .refine_factor = options.refine_factor,
                          .max_row_position = source.rows.size() - std::uint64_t{1},
                          .num_threads = options.num_threads};
  search.raw_vectors = [&](std::span<const RowRef> rows, const float** out) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out[i] = source.rows.vector(static_cast<std::uint32_t>(rows[i].row_position));
    }
  };
  if (live != nullptr) {
    search.filter = live->bitmap();
  } else if (source.dead != nullptr) {
    search.hidden_ordinals = source.dead->bitmap();
  }
  Result<SearchResult> result = source.index->Search(queries, search);
  if (!result.ok()) {
    return result.status();
  }
  for (const SearchStats& query : result->stats) {
    stats->probed_partitions += query.probed_partitions.size();
    stats->scanned_rows += query.num_eligible;
    stats->survivors += query.num_evaluated;
    stats->reranked_rows += query.num_reranked;
  }
  return std::move(result->hits);
}

/// `query_index`, `_distance`, and what the projection takes of the rows.
Result<std::shared_ptr<arrow::RecordBatch>> ToBatch(const Version& version,
                                                    const std::vector<std::vector<FoundRow>>& found,
                                                    const Projection& projection) {
  arrow::UInt32Builder query_index;
  arrow::FloatBuilder distance;
  std::vector<RowPlace> rows;
  const auto append = [&]() -> arrow::Status {
    for (std::size_t query = 0; query < found.size(); ++query) {
      for (const FoundRow& hit : found[query]) {
        ARROW_RETURN_NOT_OK(query_index.Append(static_cast<std::uint32_t>(query)));
        ARROW_RETURN_NOT_OK(distance.Append(hit.distance));
        rows.push_back(hit.row);
      }
    }
    return arrow::Status::OK();
  };
  std::vector<std::shared_ptr<arrow::Array>> columns(2);
  arrow::Status status = append();
  status = status.ok() ? query_index.Finish(&columns[0]) : status;
  status = status.ok() ? distance.Finish(&columns[1]) : status;
  if (!status.ok()) {
    return table::FromArrow(status);
  }
  auto taken = projection.Take(version, rows);
  if (!taken.ok()) {
    return taken.status();
  }
  columns.insert(columns.end(), taken->begin(), taken->end());
  arrow::FieldVector fields = {arrow::field("query_index", arrow::uint32(), /*nullable=*/false),
                               arrow::field("_distance", arrow::float32(), /*nullable=*/false)};
  const auto& more = projection.schema()->fields();
  fields.insert(fields.end(), more.begin(), more.end());
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)),
                                  static_cast<std::int64_t>(rows.size()), std::move(columns));
}

/// The k nearest of all sources.
void KeepNearest(std::size_t k, std::vector<FoundRow>* found) {
  const std::size_t kept = std::min(k, found->size());
  std::partial_sort(found->begin(), found->begin() + static_cast<std::ptrdiff_t>(kept),
                    found->end());
  found->resize(kept);
}

}  // namespace

Result<Projection> Table::Impl::ProjectHits(std::vector<std::string> columns) const {
  const auto key = schema_.key_column();
  const std::string name = key.has_value() ? schema_.arrow()->field(*key)->name() : "_rowid";
  if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
    columns.insert(columns.begin(), name);
  }
  return Projection::Make(schema_, columns);
}

Result<Hits> Table::Impl::FindNearest(const Source& source, VectorView queries,
                                      const TableSearchOptions& options,
                                      const arrow::compute::Expression* filter,
                                      SourceStats* stats) const {
  if (source.rows.size() == 0) {
    return Hits(queries.num_rows);
  }
  const bool by_index = source.index != nullptr;
  if (by_index && filter == nullptr) {
    return SearchIndex(source, queries, options, nullptr, stats);
  }
  const auto live = table::LiveRows(source, filter);
  if (!live.ok()) {
    return live.status();
  }
  if (by_index) {
    return SearchIndex(source, queries, options, &*live, stats);
  }
  stats->scanned_rows = live->Count() * queries.num_rows;
  stats->reranked_rows = stats->scanned_rows;
  return table::ExactSearch(source.rows, metric_, queries, options.k, *live, options.num_threads);
}

Result<TableSearchResult> Table::Impl::Search(VectorView queries,
                                              const TableSearchOptions& options) const {
  return NoThrow([&]() -> Result<TableSearchResult> {
    const auto current = Current();
    if (!current.ok()) {
      return current.status();
    }
    const Version& version = **current;
    if (Status good = CheckQueries(queries, options, metric_, schema_.dim()); !good.ok()) {
      return good;
    }
    const auto projection = ProjectHits(options.columns);
    if (!projection.ok()) {
      return projection.status();
    }
    const auto bound = Bind(options.filter);
    if (!bound.ok()) {
      return bound.status();
    }
    TableSearchResult result;
    std::vector<std::vector<FoundRow>> found(queries.num_rows);
    for (std::uint32_t i = 0; i < version.sources.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      const Source& source = *version.sources[i];
      SourceStats stats = {.source = source.name(),
                           .num_rows = source.rows.size(),
                           .num_dead = static_cast<std::size_t>(source.num_dead)};
      const auto hits =
          FindNearest(source, queries, options, bound->has_value() ? &**bound : nullptr, &stats);
      if (!hits.ok()) {
        return hits.status();
      }
      for (std::size_t query = 0; query < hits->size(); ++query) {
        for (const Hit& hit : (*hits)[query]) {
          found[query].push_back({hit.distance, {i, static_cast<std::uint32_t>(hit.row_position)}});
        }
      }
      stats.seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      result.sources.push_back(std::move(stats));
    }
    for (std::vector<FoundRow>& of_query : found) {
      KeepNearest(options.k, &of_query);
    }
    auto rows = ToBatch(version, found, *projection);
    if (!rows.ok()) {
      return rows.status();
    }
    result.rows = *std::move(rows);
    return result;
  });
}

}  // namespace forebay
