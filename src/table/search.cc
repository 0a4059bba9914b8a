// Search: one snapshot; by the index where there is a model, else by comparing every live row.
// Distances are exact either way.
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/no_throw.h"
#include "index/searched_parts.h"
#include "model/vector_check.h"
#include "table/arrow_status.h"
#include "table/exact_search.h"
#include "table/filter.h"
#include "table/merge_policy.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::Projection;
using table::RowPlace;
using table::RowSet;
using table::Source;
using table::Version;

using Sources = std::span<const std::shared_ptr<const Source>>;
using table::FoundRow;
using FoundRows = std::vector<std::vector<FoundRow>>;  // One list for each query.

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

/// Sources that are searched as one: all with an index of one model, or one without an index.
using Group = std::vector<std::uint32_t>;

std::vector<Group> GroupsOf(Sources sources) {
  std::vector<Group> groups;
  std::map<std::uint64_t, std::size_t> of_model;  // By fingerprint.
  std::uint64_t num_rows = 0;                     // Of all; positions of a group have 32 bits.
  for (std::uint32_t i = 0; i < sources.size(); ++i) {
    if (sources[i]->rows.size() == 0) {
      continue;
    }
    num_rows += sources[i]->rows.size();
    if (num_rows > table::kMaxGenerationRows) {
      of_model.clear();  // Other groups from here on.
      num_rows = sources[i]->rows.size();
    }
    const IvfPqMemIndex* const index = sources[i]->index.get();
    const auto place =
        index == nullptr ? of_model.end()
                         : of_model.try_emplace(index->model().fingerprint(), groups.size()).first;
    if (place == of_model.end() || place->second == groups.size()) {
      groups.emplace_back();
    }
    (place == of_model.end() ? groups.back() : groups[place->second]).push_back(i);
  }
  return groups;
}

/// Of a group's sources, the rows one after the other.
class GroupRows {
 public:
  GroupRows(Sources sources, const Group& group) : sources_(sources), group_(group) {
    std::uint32_t first = 0;
    for (const std::uint32_t source : group) {
      firsts_.push_back(first);
      first += sources[source]->rows.size();
      converts_ = converts_ || sources[source]->rows.converts_when_read();
    }
  }

  [[nodiscard]] RowPlace Place(std::uint64_t position) const {
    const auto row = static_cast<std::uint32_t>(position);
    const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), row);
    return {group_[static_cast<std::size_t>(after - firsts_.begin() - 1)], row - *(after - 1)};
  }
  /// As RawVectorLookup. What must be converted is so into memory that the thread keeps until it
  /// looks up others.
  void Vectors(std::span<const RowRef> refs, std::size_t dim, const float** out) const {
    thread_local std::vector<float> room;
    const std::size_t needed = converts_ ? refs.size() * dim : 0;
    if (room.size() > kMaxKept && room.size() > needed) {
      room = std::vector<float>();  // `= {}` would keep it.
    }
    room.resize(std::max(room.size(), needed));
    for (std::size_t i = 0; i < refs.size(); ++i) {
      const RowPlace row = Place(refs[i].row_position);
      float* const of_row = converts_ ? room.data() + i * dim : nullptr;
      out[i] = sources_[row.source]->rows.Vector(row.ordinal, of_row);
    }
  }
  void Add(const std::vector<std::vector<Hit>>& hits, FoundRows* found) const {
    for (std::size_t query = 0; query < hits.size(); ++query) {
      for (const Hit& hit : hits[query]) {
        (*found)[query].push_back({hit.distance, Place(hit.row_position)});
      }
    }
  }

 private:
  /// Elements of the memory for what is converted, of one query.
  static constexpr std::size_t kMaxKept = std::size_t{1} << 20U;

  const Sources sources_;
  const Group& group_;
  std::vector<std::uint32_t> firsts_;
  bool converts_ = false;
};

/// Of sources with an index. `live` are the rows that pass the filter, source by source; empty:
/// there is none.
Result<std::vector<std::vector<Hit>>> SearchIndexes(Sources sources, const Group& group,
                                                    VectorView queries,
                                                    const TableSearchOptions& options,
                                                    std::span<const RowSet> live,
                                                    SourceStats* stats) {
  const GroupRows rows(sources, group);
  SearchOptions search = {.k = options.k,
                          .nprobes = options.nprobes,
                          .refine_factor = options.refine_factor,
                          .num_threads = options.num_threads};
  search.raw_vectors = [&](std::span<const RowRef> refs, const float** out) {
    rows.Vectors(refs, queries.dim, out);
  };
  std::vector<RowFilter> filters;
  std::vector<Bitmap> hidden;
  filters.reserve(group.size());
  hidden.reserve(group.size());
  std::vector<index::SearchPart> parts;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const Source& source = *sources[group[i]];
    index::SearchPart part = {.index = &source.index->impl(), .snapshot = source.rows.size()};
    if (!live.empty()) {
      filters.emplace_back(live[i].bitmap());
      part.eligible.filter = &filters.back();
    } else if (source.dead != nullptr) {
      hidden.push_back(source.dead->bitmap());
      part.eligible.hidden_ordinals = &hidden.back();
    }
    parts.push_back(part);
  }
  Result<SearchResult> result = index::SearchTogether(parts, queries, search);
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

/// What is known of the sources before they are searched.
SourceStats StatsOf(Sources sources, const Group& group) {
  SourceStats stats;
  for (const std::uint32_t i : group) {
    stats.source += (stats.source.empty() ? "" : ", ") + sources[i]->name();
    stats.num_rows += sources[i]->rows.size();
    stats.num_dead += static_cast<std::size_t>(sources[i]->num_dead);
  }
  return stats;
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

Result<RowSet> Table::Impl::Eligible(const Source& source,
                                     const arrow::compute::Expression* filter) const {
  const std::uint64_t generation = source.generation.number;
  if (filter == nullptr || generation == 0) {
    return table::LiveRows(source, filter);
  }
  auto passed = filters_.Find(generation, *filter);
  if (passed == nullptr) {
    Source all = source;  // With the dead, who may be alive in another snapshot.
    all.dead = nullptr;
    auto rows = table::LiveRows(all, filter);
    if (!rows.ok()) {
      return table::LiveRows(source, filter);  // It may be a dead row that it fails for.
    }
    passed = std::make_shared<const RowSet>(*std::move(rows));
    filters_.Add(generation, *filter, passed);
  }
  return source.dead == nullptr ? *passed : passed->Without(*source.dead);
}

Status Table::Impl::SearchGroup(Sources sources, const std::vector<std::uint32_t>& group,
                                VectorView queries, const TableSearchOptions& options,
                                const arrow::compute::Expression* filter, FoundRows* found,
                                SourceStats* stats) const {
  const Source& first = *sources[group.front()];
  std::vector<RowSet> live;
  for (const std::uint32_t i : group) {
    if (filter == nullptr && first.index != nullptr) {
      break;  // The index hides the dead.
    }
    auto rows = Eligible(*sources[i], filter);
    if (!rows.ok()) {
      return rows.status();
    }
    live.push_back(*std::move(rows));
  }
  const GroupRows rows(sources, group);
  if (first.index == nullptr) {
    stats->scanned_rows = live.front().Count() * queries.num_rows;
    stats->reranked_rows = stats->scanned_rows;
    rows.Add(table::ExactSearch(first.rows, metric_, queries, options.k, live.front(),
                                options.num_threads),
             found);
    return Status::Ok();
  }
  const auto hits = SearchIndexes(sources, group, queries, options, live, stats);
  if (hits.ok()) {
    rows.Add(*hits, found);
  }
  return hits.status();
}

Result<FoundRows> Table::Impl::FindNearest(Sources sources, VectorView queries,
                                           const TableSearchOptions& options,
                                           const arrow::compute::Expression* filter,
                                           std::vector<SourceStats>* stats) const {
  FoundRows found(queries.num_rows);
  const std::vector<Group> groups = GroupsOf(sources);
  for (const Group& group : groups) {
    const auto start = std::chrono::steady_clock::now();
    stats->push_back(StatsOf(sources, group));
    SourceStats& of_group = stats->back();
    Status searched = SearchGroup(sources, group, queries, options, filter, &found, &of_group);
    if (!searched.ok()) {
      return searched;
    }
    of_group.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  for (std::vector<FoundRow>& of_query : found) {
    KeepNearest(options.k, &of_query);
  }
  return found;
}

Result<TableSearchResult> Table::Impl::Search(VectorView queries,
                                              const TableSearchOptions& options) const {
  return NoThrow([&]() -> Result<TableSearchResult> {
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
    const auto bound = Bind(options.filter);
    if (!bound.ok()) {
      return bound.status();
    }
    TableSearchResult result;
    const auto found = FindNearest((*version)->sources, queries, options,
                                   bound->has_value() ? &**bound : nullptr, &result.sources);
    if (!found.ok()) {
      return found.status();
    }
    auto rows = ToBatch(**version, *found, *projection);
    if (!rows.ok()) {
      return rows.status();
    }
    result.rows = *std::move(rows);
    return result;
  });
}

}  // namespace forebay
