// Record batches into an index.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/no_throw.h"
#include "forebay/arrow.h"

namespace forebay {
namespace {

/// `what` leads the message, as in "column 'vector': expected ...".
Status Prefixed(std::string_view what, const Status& status) {
  return {status.code(), fmt::format("{}: {}", what, status.message())};
}

/// The rows of `array`, which must have the model's dimension. `what` names the array in messages.
Result<ArrowVectors> LoadArray(const IvfPqMemIndex& index, const arrow::Array& array,
                               std::string_view what) {
  Result<ArrowVectors> loaded = ArrowVectors::Make(array);
  if (!loaded.ok()) {
    return Prefixed(what, loaded.error());
  }
  if (loaded->view().dim != index.model().dim()) {
    return Status::InvalidArgument(
        fmt::format("{}: expected vectors of dimension {}, as the index's model has, got {} ({}); "
                    "insert vectors that the same embedding made",
                    what, index.model().dim(), loaded->view().dim, array.type()->ToString()));
  }
  return loaded;
}

/// The rows of the index's column in `batch`; none when the batch has no such column.
Result<std::optional<ArrowVectors>> LoadColumn(const IvfPqMemIndex& index,
                                               const arrow::RecordBatch& batch) {
  const std::string& name = index.options().column_name;
  const std::vector<int> places = batch.schema()->GetAllFieldIndices(name);
  if (places.empty()) {
    return std::optional<ArrowVectors>();
  }
  if (places.size() > 1) {
    return Status::InvalidArgument(
        fmt::format("column '{}': expected one column of that name, got {}; rename the others",
                    name, places.size()));
  }
  Result<ArrowVectors> loaded =
      LoadArray(index, *batch.column(places[0]), fmt::format("column '{}'", name));
  if (!loaded.ok()) {
    return loaded.error();
  }
  return std::optional<ArrowVectors>(*std::move(loaded));
}

/// A batch for the core. One without the column becomes one without rows, so that the core counts
/// batches as the caller does.
VectorBatch AsBatch(const IvfPqMemIndex& index, const std::optional<ArrowVectors>& vectors,
                    std::uint64_t first_row_position) {
  if (vectors.has_value()) {
    return vectors->batch(first_row_position);
  }
  VectorBatch nothing;
  nothing.vectors.dim = index.model().dim();
  nothing.first_row_position = first_row_position;
  return nothing;
}

}  // namespace

Result<InsertReport> Insert(IvfPqMemIndex& index, const arrow::RecordBatch& batch,
                            std::uint64_t first_row_position) {
  return NoThrow([&]() -> Result<InsertReport> {
    const Result<std::optional<ArrowVectors>> vectors = LoadColumn(index, batch);
    if (!vectors.ok()) {
      return vectors.error();
    }
    return index.Insert(AsBatch(index, *vectors, first_row_position));
  });
}

Result<InsertReport> InsertArray(IvfPqMemIndex& index, const arrow::Array& vectors,
                                 std::uint64_t first_row_position) {
  return NoThrow([&]() -> Result<InsertReport> {
    const Result<ArrowVectors> loaded = LoadArray(index, vectors, "vectors");
    if (!loaded.ok()) {
      return loaded.error();
    }
    return index.Insert(loaded->batch(first_row_position));
  });
}

Result<InsertReport> InsertBatches(IvfPqMemIndex& index, std::span<const StoredBatch> batches,
                                   std::size_t num_threads) {
  return NoThrow([&]() -> Result<InsertReport> {
    std::vector<std::optional<ArrowVectors>> loaded;  // Owns what core_batches points to.
    std::vector<VectorBatch> core_batches;
    loaded.reserve(batches.size());
    core_batches.reserve(batches.size());
    for (std::size_t i = 0; i < batches.size(); ++i) {
      if (batches[i].batch == nullptr) {
        return Status::InvalidArgument(
            fmt::format("batch {}: expected a record batch, got a null "
                        "pointer; leave it out",
                        i));
      }
      Result<std::optional<ArrowVectors>> vectors = LoadColumn(index, *batches[i].batch);
      if (!vectors.ok()) {
        return Prefixed(fmt::format("batch {}", i), vectors.error());
      }
      loaded.push_back(*std::move(vectors));
      core_batches.push_back(AsBatch(index, loaded.back(), batches[i].first_row_position));
    }
    return index.InsertBatches(core_batches, num_threads);
  });
}

}  // namespace forebay
