// Table: each method is its Impl's. What only reads a field is here.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <utility>

#include "base/no_throw.h"
#include "storage/posix_directory.h"
#include "table/table_impl.h"

namespace forebay {

Result<Table> Table::Create(const std::filesystem::path& path, const TableDefinition& definition,
                            const TableOptions& options) {
  return NoThrow([&]() -> Result<Table> {
    if (const auto described = Impl::Describe(definition, options); !described.ok()) {
      return described.status();  // Before there is a directory.
    }
    auto directory = storage::PosixDirectory::Make(path);
    if (!directory.ok()) {
      return directory.status();
    }
    return Impl::Create(*std::move(directory), definition, options);
  });
}

Result<Table> Table::Open(const std::filesystem::path& path, const TableOptions& options) {
  return NoThrow([&]() -> Result<Table> {
    auto directory = storage::PosixDirectory::Open(path);
    if (!directory.ok()) {
      return directory.status();
    }
    return Impl::Open(*std::move(directory), options);
  });
}

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

Result<PutReport> Table::Put(const arrow::RecordBatch& batch) { return impl_->Put(batch); }

Result<std::uint64_t> Table::Delete(const arrow::Array& keys) { return impl_->Delete(keys); }

Result<std::uint64_t> Table::Delete(const arrow::compute::Expression& filter) {
  return impl_->Delete(filter);
}

Result<TableSearchResult> Table::Search(VectorView queries,
                                        const TableSearchOptions& options) const {
  return impl_->Search(queries, options);
}

Result<std::shared_ptr<arrow::RecordBatch>> Table::Get(
    const arrow::Array& keys, const std::vector<std::string>& columns) const {
  return impl_->Get(keys, columns);
}

Result<std::shared_ptr<arrow::RecordBatch>> Table::Take(
    std::span<const std::uint64_t> row_ids, const std::vector<std::string>& columns) const {
  return impl_->Take(row_ids, columns);
}

Result<std::shared_ptr<arrow::RecordBatchReader>> Table::Scan(
    const arrow::compute::Expression* filter, const std::vector<std::string>& columns) const {
  return impl_->Scan(filter, columns);
}

Result<std::uint64_t> Table::Count(const arrow::compute::Expression* filter) const {
  return impl_->Count(filter);
}

Status Table::Flush() { return impl_->Flush(); }

Status Table::Merge() { return impl_->Merge(); }

Status Table::Refresh() { return impl_->Refresh(); }

Status Table::Train(const TrainOptions& options) { return impl_->Train(options); }

Result<VerifyReport> Table::Verify() const { return impl_->Verify(); }

const std::shared_ptr<arrow::Schema>& Table::schema() const { return impl_->schema().arrow(); }

const std::string& Table::vector_column() const {
  return impl_->schema().arrow()->field(impl_->schema().vector_column())->name();
}

std::size_t Table::dim() const { return impl_->schema().dim(); }

std::optional<std::string> Table::primary_key() const {
  const auto column = impl_->schema().key_column();
  return column.has_value() ? std::optional(schema()->field(*column)->name()) : std::nullopt;
}

Metric Table::metric() const { return impl_->metric(); }

std::optional<IvfPqModel> Table::model() const { return impl_->Model(); }

const RecoveryReport& Table::recovery() const { return impl_->recovery(); }

Result<TableStats> Table::stats() const { return impl_->Stats(); }

Status Table::Close() { return impl_->Close(); }

std::optional<IvfPqModel> Table::Impl::Model() const {
  const auto version = Current();
  return version.ok() ? (*version)->model : std::nullopt;
}

Result<TableStats> Table::Impl::Stats() const {
  const auto version = Current();
  if (!version.ok()) {
    return version.status();
  }
  TableStats stats = {
      .num_rows = (*version)->num_live(),
      .num_dead = (*version)->num_dead(),
      .sequence_number = (*version)->sequence_number,
      .writer_epoch = writer_epoch_.load(),
      .wal_bytes = (*version)->wal_bytes,
      .num_syncs = num_syncs_.load(std::memory_order_relaxed),
      .num_flushes = num_flushes_.load(std::memory_order_relaxed),
      .num_failed_merges = num_failed_merges_.load(std::memory_order_relaxed),
      .waited_seconds = 1e-9 * static_cast<double>(waited_ns_.load(std::memory_order_relaxed))};
  for (const auto& source : (*version)->sources) {
    if (source->generation.number == 0) {
      stats.memtable_bytes += source->num_bytes();
      continue;
    }
    stats.generations.push_back(source->generation);
    stats.generations.back().num_rows = source->num_live();
    stats.generations.back().num_dead = source->num_dead;
    stats.generations.back().drift = (*version)->DriftOf(*source);
  }
  return stats;
}

}  // namespace forebay
