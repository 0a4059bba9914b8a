// CountedIndex as forebay._core.Index.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrow_export.h"
#include "bindings.h"
#include "counted_index.h"
#include "forebay/file.h"
#include "gil.h"
#include "option_names.h"
#include "status_error.h"
#include "words.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

template <typename T, std::size_t kDims>
using NumpyArray = nb::ndarray<nb::numpy, T, nb::ndim<kDims>>;

/// Hands a vector over to numpy, without a copy.
template <typename T, std::size_t kDims>
NumpyArray<T, kDims> ToNumpy(std::vector<T> values, std::initializer_list<std::size_t> shape) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* const data = owned->data();
  const nb::capsule owner(owned.release(), [](void* vector) noexcept {
    std::unique_ptr<std::vector<T>>(static_cast<std::vector<T>*>(vector));
  });
  return {data, shape, owner};
}

/// num_inserted, num_skipped, num_dropped and num_filled of an insert.
using InsertCounts = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t>;

InsertCounts InsertParts(CountedIndex& self, std::span<const InsertPart> parts,
                         std::size_t num_threads) {
  const ReleaseGil released;
  const InsertReport report = self.Insert(parts, num_threads);
  return {report.num_inserted, report.num_skipped, report.num_dropped, report.num_filled};
}

/// `positions[i]` belongs to `vectors[i]`: None, an int, or an array of uint64.
InsertCounts Insert(CountedIndex& self, const std::vector<const Vectors*>& vectors,
                    const std::vector<nb::object>& positions, std::size_t num_threads) {
  std::vector<InsertPart> parts;
  std::vector<Words> arrays;  // Keeps the memory of the spans.
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    InsertPart part{.vectors = vectors[i]};
    const nb::object& given = positions[i];
    if (Words words; nb::try_cast(given, words, /*convert=*/false)) {
      part.positions = AsSpan(arrays.emplace_back(std::move(words)));
    } else if (!given.is_none()) {
      part.first = nb::cast<std::uint64_t>(given);
    }
    parts.push_back(part);
  }
  return InsertParts(self, parts, num_threads);
}

/// Inserts an array from `first` on, without an object for it and its parts. None, nothing done,
/// unless it is aligned, C-contiguous float32 of the model's dimension.
std::optional<InsertCounts> InsertArray(CountedIndex& self, nb::handle array,
                                        std::optional<std::uint64_t> first,
                                        std::size_t num_threads) {
  FloatRows rows;
  if (!nb::try_cast(array, rows, /*convert=*/false) ||
      rows.shape(1) != self.index().model().dim() ||
      reinterpret_cast<std::uintptr_t>(rows.data()) % alignof(float) != 0) {
    return std::nullopt;
  }
  const Vectors vectors(std::move(rows));
  const InsertPart part{.vectors = &vectors, .first = first};
  return InsertParts(self, {&part, 1}, num_threads);
}

std::unique_ptr<CountedIndex> Open(const std::filesystem::path& path,
                                   std::optional<FloatRows> vectors) {
  auto opened = [&path] {
    const ReleaseGil released;
    return ValueOrThrow(OpenIndex(path));
  }();
  return std::make_unique<CountedIndex>(std::move(opened), std::move(vectors));
}

void Save(const CountedIndex& self, const std::filesystem::path& path) {
  const ReleaseGil released;
  ThrowIfError(WriteIndex(path, self.index()));
}

/// What a search found, and how many rows were asked for.
struct FoundRows {
  SearchResult result;
  std::size_t k = 0;
};

/// At most one of filter_mask (bits, as Bitmap has them) and filter_positions (ascending).
FoundRows Search(const CountedIndex& self, const Vectors& queries, std::size_t k,
                 std::size_t nprobes, std::size_t refine_factor,
                 const std::optional<Words>& filter_mask, std::uint64_t filter_mask_size,
                 const std::optional<Words>& filter_positions,
                 std::optional<std::uint64_t> max_row_position, float distance_lower,
                 float distance_upper, std::size_t num_threads) {
  SearchOptions options{.k = k, .nprobes = nprobes, .refine_factor = refine_factor};
  if (filter_mask.has_value()) {
    options.filter = Bitmap{AsSpan(*filter_mask), filter_mask_size};
  } else if (filter_positions.has_value()) {
    options.filter = AsSpan(*filter_positions);
  }
  options.max_row_position = max_row_position.value_or(options.max_row_position);
  options.distance_lower = distance_lower;
  options.distance_upper = distance_upper;
  options.num_threads = num_threads;
  const ReleaseGil released;
  return {ValueOrThrow(queries.WithContiguous(
              "query", [&](VectorView rows) { return self.Search(rows, options); })),
          k};
}

/// Distances and row positions as arrays of [num_queries][k], padded with infinity and -1.
std::pair<NumpyArray<float, 2>, NumpyArray<std::int64_t, 2>> Padded(const FoundRows& found) {
  const std::size_t num_queries = found.result.size();
  std::vector<float> distances;
  std::vector<std::int64_t> positions;
  {
    const ReleaseGil released;
    distances.assign(num_queries * found.k, std::numeric_limits<float>::infinity());
    positions.assign(num_queries * found.k, -1);
    for (std::size_t i = 0; i < num_queries; ++i) {
      std::size_t to = i * found.k;
      for (const Hit& hit : found.result[i]) {
        distances[to] = hit.distance;
        positions[to++] = static_cast<std::int64_t>(hit.row_position);
      }
    }
  }
  return {ToNumpy<float, 2>(std::move(distances), {num_queries, found.k}),
          ToNumpy<std::int64_t, 2>(std::move(positions), {num_queries, found.k})};
}

/// All hits as three columns: query index, row position, distance.
std::tuple<NumpyArray<std::int64_t, 1>, NumpyArray<std::int64_t, 1>, NumpyArray<float, 1>> Columns(
    const FoundRows& found) {
  const SearchResult& result = found.result;
  std::vector<std::int64_t> queries;
  std::vector<std::int64_t> positions;
  std::vector<float> distances;
  {
    const ReleaseGil released;
    for (std::size_t i = 0; i < result.size(); ++i) {
      for (const Hit& hit : result[i]) {
        queries.push_back(static_cast<std::int64_t>(i));
        positions.push_back(static_cast<std::int64_t>(hit.row_position));
        distances.push_back(hit.distance);
      }
    }
  }
  const std::size_t num_hits = queries.size();
  return {ToNumpy<std::int64_t, 1>(std::move(queries), {num_hits}),
          ToNumpy<std::int64_t, 1>(std::move(positions), {num_hits}),
          ToNumpy<float, 1>(std::move(distances), {num_hits})};
}

std::pair<NumpyArray<std::int64_t, 1>, NumpyArray<std::uint8_t, 2>> Partition(
    const CountedIndex& self, std::size_t partition) {
  PartitionEntries entries;
  {
    const ReleaseGil released;
    entries = self.index().partition(partition);
  }
  const std::size_t num_rows = entries.row_positions.size();
  const std::size_t code_len = self.index().model().pq().code_len();
  std::vector<std::int64_t> positions(entries.row_positions.begin(), entries.row_positions.end());
  return {ToNumpy<std::int64_t, 1>(std::move(positions), {num_rows}),
          ToNumpy<std::uint8_t, 2>(std::move(entries.codes), {num_rows, code_len})};
}

std::vector<std::pair<std::uint32_t, ArrowBatch>> PartitionBatches(
    const CountedIndex& self, std::optional<std::uint64_t> reversed_total_rows) {
  const ReleaseGil released;
  std::vector<std::pair<std::uint32_t, ArrowBatch>> batches;
  for (auto& [partition, batch] :
       ValueOrThrow(reversed_total_rows.has_value()
                        ? ToPartitionBatchesReversed(self.index(), *reversed_total_rows)
                        : ToPartitionBatches(self.index()))) {
    batches.emplace_back(partition, ArrowBatch(std::move(batch)));
  }
  return batches;
}

NumpyArray<std::int64_t, 1> PartitionSizes(const CountedIndex& self) {
  const std::vector<std::size_t> sizes = self.index().partition_sizes();
  return ToNumpy<std::int64_t, 1>({sizes.begin(), sizes.end()}, {sizes.size()});
}

std::map<std::string, std::size_t> MemoryUsageOf(const CountedIndex& self) {
  const MemoryUsage usage = self.index().memory_usage();
  const VectorStore* const store = self.store();
  return {{"codes", usage.codes},
          {"ordinals", usage.ordinals},
          {"vector_terms", usage.vector_terms},
          {"row_positions", usage.row_positions},
          {"partitions", usage.partitions},
          {"vectors", store != nullptr ? store->used_bytes() : 0}};
}

std::map<std::string, std::uint64_t> CountsOf(const CountedIndex& self) {
  const Counts& counts = self.counts();
  return {{"num_skipped", counts.skipped},
          {"num_dropped", counts.dropped},
          {"num_filled", counts.filled},
          {"num_queries", counts.queries},
          {"num_probed_partitions", counts.probed_partitions},
          {"num_eligible", counts.eligible_rows},
          {"num_evaluated", counts.evaluated_rows},
          {"num_reranked", counts.reranked_rows}};
}

void BindFoundRows(nb::module_& module) {
  nb::class_<FoundRows>(module, "FoundRows").def("padded", &Padded).def("columns", &Columns);
}

}  // namespace

void BindIndex(nb::module_& module) {
  BindFoundRows(module);
  nb::class_<CountedIndex>(module, "Index", "IvfPqMemIndex, with the raw vectors beside it.")
      .def(
          "__init__",
          [](CountedIndex* self, const IvfPqModel& model, bool keep_vectors, std::size_t capacity,
             const std::string& on_bad_vectors, float fill_value) {
            MemIndexOptions options;
            options.capacity = capacity;
            options.on_bad_vectors = ParseOnBadVectors(on_bad_vectors);
            options.fill_value = fill_value;
            new (self) CountedIndex(model, options, keep_vectors);
          },
          "model"_a, nb::kw_only(), "keep_vectors"_a, "capacity"_a, "on_bad_vectors"_a,
          "fill_value"_a)
      .def_static("open", &Open, "path"_a, "vectors"_a.none(),
                  nb::sig("def open(path: str, vectors: object | None) -> Index"))
      .def("save", &Save, "path"_a, nb::sig("def save(self, path: str) -> None"))
      .def_prop_ro("model", [](const CountedIndex& self) { return self.index().model(); })
      .def_prop_ro("read_only", [](const CountedIndex& self) { return self.index().read_only(); })
      .def("insert", &Insert, "vectors"_a, "positions"_a, "num_threads"_a)
      .def("insert_array", &InsertArray, "array"_a, "first"_a.none(), "num_threads"_a)
      .def("search", &Search, "queries"_a, "k"_a, "nprobes"_a, "refine_factor"_a,
           "filter_mask"_a.none(), "filter_mask_size"_a, "filter_positions"_a.none(),
           "max_row_position"_a.none(), "distance_lower"_a, "distance_upper"_a, "num_threads"_a)
      .def("__len__", [](const CountedIndex& self) { return self.index().size(); })
      .def("partition", &Partition, "partition"_a)
      .def("partition_sizes", &PartitionSizes)
      .def("partition_batches", &PartitionBatches, "reversed_total_rows"_a.none())
      .def("memory_usage", &MemoryUsageOf)
      .def("counts", &CountsOf);
}

}  // namespace forebay::python
