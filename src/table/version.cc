#include "table/version.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "table/row_runs.h"

namespace forebay::table {

std::uint64_t Version::num_rows() const {
  std::uint64_t count = 0;
  for (const auto& source : sources) {
    count += source->rows.size();
  }
  return count;
}

std::uint64_t Version::num_dead() const {
  std::uint64_t count = 0;
  for (const auto& source : sources) {
    count += source->num_dead;
  }
  return count;
}

std::optional<double> Version::DriftOf(const Source& source) const {
  const GenerationStats& stats = source.generation;
  const bool same = model.has_value() && stats.model_fingerprint == model->fingerprint();
  if (!same || !stats.quantization_error.has_value() || !model_quantization_error.has_value()) {
    return std::nullopt;
  }
  if (*model_quantization_error == 0) {  // Few different rows, each with a code of its own.
    return *stats.quantization_error == 0 ? 1 : std::numeric_limits<double>::infinity();
  }
  return *stats.quantization_error / *model_quantization_error;
}

std::optional<RowPlace> Version::FindRow(std::uint64_t row_id) const {
  // The last source that begins at or before it. (The MemTable may be empty, but has a beginning.)
  const auto after = std::upper_bound(
      sources.begin(), sources.end(), row_id,
      [](std::uint64_t id, const auto& source) { return id < source->rows.first_row_id(); });
  if (after == sources.begin()) {
    return std::nullopt;
  }
  const auto source = static_cast<std::uint32_t>(after - sources.begin() - 1);
  const auto ordinal = sources[source]->rows.Find(row_id);
  if (!ordinal.has_value() || sources[source]->IsDead(*ordinal)) {
    return std::nullopt;
  }
  return RowPlace{source, *ordinal};
}

std::optional<RowPlace> Version::FindOlder(const Key& key) const {
  for (std::uint32_t source = memtable_place(); source-- > 0;) {
    if (const auto ordinal = sources[source]->FindKey(key); ordinal.has_value()) {
      const RowPlace row = {source, *ordinal};
      return IsDead(row) ? std::nullopt : std::optional(row);  // Older ones were replaced by it.
    }
  }
  return std::nullopt;
}

void Version::Kill(std::span<const RowPlace> rows) {
  while (!rows.empty()) {
    const std::uint32_t source = rows.front().source;
    std::vector<std::uint32_t> ordinals;
    while (!rows.empty() && rows.front().source == source) {
      ordinals.push_back(rows.front().ordinal);
      rows = rows.subspan(1);
    }
    auto killed = std::make_shared<Source>(*sources[source]);
    killed->Kill(ordinals);
    sources[source] = std::move(killed);
  }
}

Result<std::shared_ptr<arrow::Array>> Version::Take(int column,
                                                    const std::shared_ptr<arrow::DataType>& type,
                                                    std::span<const RowPlace> rows) const {
  std::vector<ArrayRun> runs;
  std::vector<std::shared_ptr<arrow::Array>> arrays;  // Keeps those of the runs.
  for (std::size_t i = 0; i < rows.size();) {
    const RowBatch& batch = sources[rows[i].source]->rows.BatchOf(rows[i].ordinal);
    std::size_t end = i + 1;  // Of the rows that follow each other there, too.
    while (end < rows.size() && rows[end].source == rows[i].source &&
           rows[end].ordinal == rows[end - 1].ordinal + 1 && rows[end].ordinal < batch.end()) {
      ++end;
    }
    arrays.push_back(batch.batch->column(column));
    runs.push_back({arrays.back().get(),
                    {rows[i].ordinal - batch.first_ordinal, static_cast<std::int64_t>(end - i)}});
    i = end;
  }
  return TakeRuns(type, runs);
}

}  // namespace forebay::table
