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
using table::RowSet;
using table::Version;

using Hits = std::vector<std::vector<Hit>>;  // One list for each query, of ordinals.

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

/// `live` is nullptr when all rows are eligible that are not dead.
Result<Hits> SearchIndex(const Version& version, VectorView queries,
                         const TableSearchOptions& options, const RowSet* live,
                         SourceStats* stats) {
  SearchOptions search = {.k = options.k,
                          .nprobes = options.nprobes,
                          .refine_factor = options.refine_factor,
                          .max_row_position = version.rows.size() - std::uint64_t{1},
                          .num_threads = options.num_threads};
  search.raw_vectors = [&](std::span<const RowRef> rows, const float** out) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out[i] = version.rows.vector(static_cast<std::uint32_t>(rows[i].row_position));
    }
  };
  if (live != nullptr) {
    search.filter = live->bitmap();
  } else if (version.dead != nullptr) {
    search.hidden_ordinals = version.dead->bitmap();
  }
  Result<SearchResult> result = version.index->Search(queries, search);
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
Result<std::shared_ptr<arrow::RecordBatch>> ToBatch(const Version& version, const Hits& hits,
                                                    const Projection& projection) {
  arrow::UInt32Builder query_index;
  arrow::FloatBuilder distance;
  std::vector<std::uint32_t> ordinals;
  const auto append = [&]() -> arrow::Status {
    for (std::size_t query = 0; query < hits.size(); ++query) {
      for (const Hit& hit : hits[query]) {
        ARROW_RETURN_NOT_OK(query_index.Append(static_cast<std::uint32_t>(query)));
        ARROW_RETURN_NOT_OK(distance.Append(hit.distance));
        ordinals.push_back(static_cast<std::uint32_t>(hit.row_position));
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
  auto taken = projection.Take(version, ordinals);
  if (!taken.ok()) {
    return taken.status();
  }
  columns.insert(columns.end(), taken->begin(), taken->end());
  arrow::FieldVector fields = {arrow::field("query_index", arrow::uint32(), /*nullable=*/false),
                               arrow::field("_distance", arrow::float32(), /*nullable=*/false)};
  const auto& more = projection.schema()->fields();
  fields.insert(fields.end(), more.begin(), more.end());
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)),
                                  static_cast<std::int64_t>(ordinals.size()), std::move(columns));
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

Result<Hits> Table::Impl::FindNearest(const Version& version, VectorView queries,
                                      const TableSearchOptions& options, SourceStats* stats) const {
  const auto bound = Bind(options.filter);
  if (!bound.ok()) {
    return bound.status();
  }
  if (version.rows.size() == 0) {
    return Hits(queries.num_rows);
  }
  const bool by_index = version.index != nullptr;
  if (by_index && !bound->has_value()) {
    return SearchIndex(version, queries, options, nullptr, stats);
  }
  const auto live = table::LiveRows(version, bound->has_value() ? &**bound : nullptr);
  if (!live.ok()) {
    return live.status();
  }
  if (by_index) {
    return SearchIndex(version, queries, options, &*live, stats);
  }
  stats->scanned_rows = live->Count() * queries.num_rows;
  stats->reranked_rows = stats->scanned_rows;
  return table::ExactSearch(version.rows, metric_, queries, options.k, *live, options.num_threads);
}

Result<TableSearchResult> Table::Impl::Search(VectorView queries,
                                              const TableSearchOptions& options) const {
  return NoThrow([&]() -> Result<TableSearchResult> {
    const auto start = std::chrono::steady_clock::now();
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    if (Status good = CheckQueries(queries, options, metric_, schema_.dim()); !good.ok()) {
      return good;
    }
    const auto projection = ProjectHits(options.columns);
    if (!projection.ok()) {
      return projection.status();
    }
    SourceStats stats = {.source = "memtable",
                         .num_rows = (*version)->rows.size(),
                         .num_dead = static_cast<std::size_t>((*version)->num_dead)};
    const auto hits = FindNearest(**version, queries, options, &stats);
    if (!hits.ok()) {
      return hits.status();
    }
    auto rows = ToBatch(**version, *hits, *projection);
    if (!rows.ok()) {
      return rows.status();
    }
    stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return TableSearchResult{*std::move(rows), {std::move(stats)}};
  });
}

}  // namespace forebay
