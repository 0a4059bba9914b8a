// Table as forebay._core.Table.
#include "forebay/table.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrow_export.h"
#include "arrow_import.h"
#include "bindings.h"
#include "filter.h"
#include "gil.h"
#include "option_names.h"
#include "status_error.h"
#include "training.h"
#include "vectors.h"
#include "words.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

using Names = std::vector<std::string>;
/// The numbers of a report, by name.
using Numbers = std::map<std::string, std::uint64_t>;
/// Those of a generation, its model's fingerprint, its quantization error, and its drift.
using GenerationNumbers =
    std::tuple<Numbers, std::optional<std::uint64_t>, std::optional<double>, std::optional<double>>;
/// The members of SourceStats, in their order.
using SourceNumbers = std::tuple<std::string, std::size_t, std::size_t, std::size_t, std::size_t,
                                 std::size_t, std::size_t, double>;

/// A table whose end, which syncs, does not hold up other threads.
class OpenTable {
 public:
  explicit OpenTable(Table table) : table_(std::make_unique<Table>(std::move(table))) {}
  OpenTable(const OpenTable&) = delete;
  OpenTable& operator=(const OpenTable&) = delete;
  ~OpenTable() {
    const ReleaseGil released;
    table_.reset();
  }

  Table* operator->() const { return table_.get(); }
  Table& operator*() const { return *table_; }

 private:
  std::unique_ptr<Table> table_;
};

std::unique_ptr<OpenTable> Create(const std::filesystem::path& path, nb::handle schema,
                                  const std::string& vector, std::optional<std::string> primary_key,
                                  const std::string& metric, const IvfPqModel* model,
                                  const TableOptions& options) {
  TableDefinition definition = {.schema = ImportSchema(schema),
                                .vector_column = vector,
                                .primary_key = std::move(primary_key),
                                .metric = ValueOrThrow(ParseMetric(metric))};
  if (model != nullptr) {
    definition.model = *model;
  }
  const ReleaseGil released;
  return std::make_unique<OpenTable>(ValueOrThrow(Table::Create(path, definition, options)));
}

std::unique_ptr<OpenTable> Open(const std::filesystem::path& path, const TableOptions& options) {
  const ReleaseGil released;
  return std::make_unique<OpenTable>(ValueOrThrow(Table::Open(path, options)));
}

Numbers Put(OpenTable& self, nb::handle batch) {
  const auto rows = ImportBatch(batch);
  const ReleaseGil released;
  const PutReport report = ValueOrThrow(self->Put(*rows));
  return {{"sequence_number", report.sequence_number},
          {"first_row_id", report.first_row_id},
          {"num_rows", report.num_rows},
          {"num_replaced", report.num_replaced},
          {"num_dropped", report.num_dropped},
          {"num_filled", report.num_filled}};
}

std::uint64_t DeleteKeys(OpenTable& self, nb::handle keys) {
  const auto array = ImportArray(keys);
  const ReleaseGil released;
  return ValueOrThrow(self->Delete(*array));
}

std::uint64_t DeleteWhere(OpenTable& self, const Filter& filter) {
  const ReleaseGil released;
  return ValueOrThrow(self->Delete(filter.expression()));
}

/// `nprobes`: nullopt is TableSearchOptions' own number.
std::pair<ArrowBatch, std::vector<SourceNumbers>> Search(const OpenTable& self,
                                                         const Vectors& queries, std::size_t k,
                                                         std::optional<std::size_t> nprobes,
                                                         std::size_t refine_factor,
                                                         const Filter* filter, Names columns,
                                                         std::size_t num_threads) {
  TableSearchOptions options = {.k = k,
                                .refine_factor = refine_factor,
                                .filter = ExpressionOf(filter),
                                .columns = std::move(columns),
                                .num_threads = num_threads};
  options.nprobes = nprobes.value_or(options.nprobes);
  const ReleaseGil released;
  TableSearchResult found = ValueOrThrow(queries.WithContiguous(
      "query", [&](VectorView rows) { return self->Search(rows, options); }));
  std::vector<SourceNumbers> sources;
  sources.reserve(found.sources.size());
  for (const SourceStats& source : found.sources) {
    sources.emplace_back(source.source, source.num_rows, source.num_dead, source.probed_partitions,
                         source.scanned_rows, source.survivors, source.reranked_rows,
                         source.seconds);
  }
  return {ArrowBatch(std::move(found.rows)), std::move(sources)};
}

ArrowBatch Get(const OpenTable& self, nb::handle keys, const Names& columns) {
  const auto array = ImportArray(keys);
  const ReleaseGil released;
  return ArrowBatch(ValueOrThrow(self->Get(*array, columns)));
}

ArrowBatch Take(const OpenTable& self, const Words& row_ids, const Names& columns) {
  const ReleaseGil released;
  return ArrowBatch(ValueOrThrow(self->Take(AsSpan(row_ids), columns)));
}

ArrowReader Scan(const OpenTable& self, const Filter* filter, const Names& columns) {
  const ReleaseGil released;
  return ArrowReader(ValueOrThrow(self->Scan(ExpressionOf(filter), columns)));
}

std::uint64_t Count(const OpenTable& self, const Filter* filter) {
  const ReleaseGil released;
  return ValueOrThrow(self->Count(ExpressionOf(filter)));
}

TableStats StatsOf(const OpenTable& self) {
  const ReleaseGil released;
  return ValueOrThrow(self->stats());
}

void TrainTable(OpenTable& self, const TrainArguments& arguments, const nb::object& progress) {
  Table& table = *self;
  TrainInThread(arguments.For(StatsOf(self).num_rows, table.dim()), progress,
                [&](const TrainOptions& options) { return table.Train(options); });
}

void Flush(OpenTable& self) {
  const ReleaseGil released;
  ThrowIfError(self->Flush());
}

void Refresh(OpenTable& self) {
  const ReleaseGil released;
  ThrowIfError(self->Refresh());
}

void Merge(OpenTable& self) {
  const ReleaseGil released;
  ThrowIfError(self->Merge());
}

/// The whole numbers, the seconds that puts waited, and the generations.
std::tuple<Numbers, double, std::vector<GenerationNumbers>> Stats(const OpenTable& self) {
  const TableStats stats = StatsOf(self);
  std::vector<GenerationNumbers> generations;
  generations.reserve(stats.generations.size());
  for (const GenerationStats& generation : stats.generations) {
    generations.emplace_back(Numbers{{"number", generation.number},
                                     {"num_rows", generation.num_rows},
                                     {"num_dead", generation.num_dead},
                                     {"row_bytes", generation.row_bytes},
                                     {"index_bytes", generation.index_bytes},
                                     {"key_bytes", generation.key_bytes},
                                     {"mask_bytes", generation.mask_bytes}},
                             generation.model_fingerprint, generation.quantization_error,
                             generation.drift);
  }
  return {{{"num_rows", stats.num_rows},
           {"num_dead", stats.num_dead},
           {"sequence_number", stats.sequence_number},
           {"writer_epoch", stats.writer_epoch},
           {"memtable_bytes", stats.memtable_bytes},
           {"wal_bytes", stats.wal_bytes},
           {"num_syncs", stats.num_syncs},
           {"num_flushes", stats.num_flushes},
           {"num_failed_merges", stats.num_failed_merges}},
          stats.waited_seconds,
          generations};
}

Numbers Verify(const OpenTable& self) {
  const ReleaseGil released;
  const VerifyReport report = ValueOrThrow(self->Verify());
  return {{"num_rows", report.num_rows},
          {"num_codes", report.num_codes},
          {"num_keys", report.num_keys},
          {"num_log_records", report.num_log_records}};
}

Numbers Recovery(const OpenTable& self) {
  const RecoveryReport& report = self->recovery();
  return {{"num_batches", report.num_batches},
          {"num_rows", report.num_rows},
          {"num_deaths", report.num_deaths},
          {"torn_bytes", report.torn_bytes}};
}

void Close(OpenTable& self) {
  const ReleaseGil released;
  ThrowIfError(self->Close());
}

void BindTableOptions(nb::module_& module) {
  nb::class_<TableOptions>(module, "TableOptions")
      .def(
          "__init__",
          [](TableOptions* self, bool read_only, const std::string& sync,
             std::int64_t sync_interval_ms, std::size_t max_memtable_rows,
             std::size_t max_memtable_bytes, bool flush_on_close, std::size_t merge_fan_in,
             std::uint64_t max_merge_bytes, std::uint64_t merge_bytes_per_second,
             const std::string& on_bad_vectors, float fill_value, std::size_t num_threads,
             bool verify_on_open) {
            new (self) TableOptions{.read_only = read_only,
                                    .sync = ParseSyncPolicy(sync),
                                    .sync_interval = std::chrono::milliseconds(sync_interval_ms),
                                    .max_memtable_rows = max_memtable_rows,
                                    .max_memtable_bytes = max_memtable_bytes,
                                    .flush_on_close = flush_on_close,
                                    .merge_fan_in = merge_fan_in,
                                    .max_merge_bytes = max_merge_bytes,
                                    .merge_bytes_per_second = merge_bytes_per_second,
                                    .on_bad_vectors = ParseOnBadVectors(on_bad_vectors),
                                    .fill_value = fill_value,
                                    .num_threads = num_threads,
                                    .verify_on_open = verify_on_open};
          },
          nb::kw_only(), "read_only"_a, "sync"_a, "sync_interval_ms"_a, "max_memtable_rows"_a,
          "max_memtable_bytes"_a, "flush_on_close"_a, "merge_fan_in"_a, "max_merge_bytes"_a,
          "merge_bytes_per_second"_a, "on_bad_vectors"_a, "fill_value"_a, "num_threads"_a,
          "verify_on_open"_a);
}

}  // namespace

void BindTable(nb::module_& module) {
  BindTableOptions(module);
  nb::class_<OpenTable>(module, "Table", "forebay::Table.")
      .def_static("create", &Create, "path"_a, "schema"_a, nb::kw_only(), "vector"_a,
                  "primary_key"_a.none(), "metric"_a, "model"_a.none(), "options"_a,
                  nb::sig("def create(path: str, schema: object, *, vector: str, "
                          "primary_key: str | None, metric: str, model: Model | None, "
                          "options: TableOptions) -> Table"))
      .def_static("open", &Open, "path"_a, "options"_a,
                  nb::sig("def open(path: str, options: TableOptions) -> Table"))
      .def("put", &Put, "batch"_a)
      .def("delete_keys", &DeleteKeys, "keys"_a)
      .def("delete_where", &DeleteWhere, "filter"_a)
      .def("search", &Search, "queries"_a, nb::kw_only(), "k"_a, "nprobes"_a.none(),
           "refine_factor"_a, "filter"_a.none(), "columns"_a, "num_threads"_a)
      .def("get", &Get, "keys"_a, "columns"_a)
      .def("take", &Take, "row_ids"_a, "columns"_a)
      .def("scan", &Scan, "filter"_a.none(), "columns"_a)
      .def("count", &Count, "filter"_a.none())
      .def("flush", &Flush)
      .def("merge", &Merge)
      .def("refresh", &Refresh)
      .def("train", &TrainTable, "options"_a, "progress"_a.none())
      .def("stats", &Stats)
      .def("verify", &Verify)
      .def("close", &Close)
      .def_prop_ro("schema", [](const OpenTable& self) { return ArrowFields(self->schema()); })
      .def_prop_ro("vector_column", [](const OpenTable& self) { return self->vector_column(); })
      .def_prop_ro("dim", [](const OpenTable& self) { return self->dim(); })
      .def_prop_ro("primary_key", [](const OpenTable& self) { return self->primary_key(); })
      .def_prop_ro("metric",
                   [](const OpenTable& self) { return std::string(MetricName(self->metric())); })
      .def_prop_ro("model", [](const OpenTable& self) { return self->model(); })
      .def_prop_ro("recovery", &Recovery);
}

}  // namespace forebay::python
