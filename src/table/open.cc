// Open: lock, read the manifest, replay the logs, and, for writing, begin a new log.
#include <arrow/compute/initialize.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "base/no_throw.h"
#include "model/vector_check.h"
#include "table/table_impl.h"
#include "table/writer_lock.h"

namespace forebay {
namespace {

/// Ordinals have 32 bits, and a frozen MemTable is replayed into one with the next.
constexpr std::size_t kMaxRows = std::numeric_limits<std::int32_t>::max();

using table::Manifest;
using table::TableSchema;
using table::Version;

Result<TableSchema> SchemaOf(const Manifest& manifest) {
  auto arrow_schema = TableSchema::ParseArrow(manifest.schema);
  if (!arrow_schema.ok()) {
    return arrow_schema.status();
  }
  return TableSchema::Make(*std::move(arrow_schema), manifest.vector_column, manifest.primary_key);
}

}  // namespace

Status Table::Impl::CheckOptions(const TableOptions& options, Metric metric, std::size_t dim) {
  if (options.num_threads == 0) {
    return Status::InvalidArgument("num_threads must be at least 1; got 0");
  }
  if (options.sync_interval < std::chrono::milliseconds(1) ||
      options.sync_interval > std::chrono::hours(24)) {
    return Status::InvalidArgument(fmt::format("sync_interval must be 1 ms to 24 h; got {} ms",
                                               options.sync_interval.count()));
  }
  if (options.max_memtable_rows > kMaxRows) {
    return Status::InvalidArgument(fmt::format("max_memtable_rows may be at most {}; got {}",
                                               kMaxRows, options.max_memtable_rows));
  }
  if (options.merge_fan_in == 1) {
    return Status::InvalidArgument("merge_fan_in must be 0 or at least 2; got 1");
  }
  if (options.on_bad_vectors == OnBadVectors::kFill) {
    const std::vector<float> fill(dim, options.fill_value);
    const auto defect = model::CheckVector(metric, fill.data(), dim);
    if (defect != model::Defect::kNone) {
      return Status::InvalidArgument(fmt::format("fill_value {} makes a bad vector for {}: it {}",
                                                 options.fill_value, MetricName(metric),
                                                 model::DefectText(defect)));
    }
  }
  return Status::Ok();
}

Table::Impl::Impl(std::shared_ptr<storage::Directory> directory, TableSchema schema,
                  Manifest manifest, const TableOptions& options)
    : directory_(std::move(directory)),
      schema_(std::move(schema)),
      metric_(manifest.metric),
      options_(options),
      process_(::getpid()),
      queue_(FitsGroup, [this](std::span<Write* const> group) { CommitGroup(group); }),
      version_(std::make_shared<Version>()),
      manifest_(std::move(manifest)) {}

Status Table::Impl::ReadOnly() {
  return Status::FailedPrecondition("the table was opened read only; open it for writing");
}

MemIndexOptions Table::Impl::IndexOptions() const {
  return {.column_name = schema_.arrow()->field(schema_.vector_column())->name()};
}

Table::Impl::~Impl() {
  static_cast<void>(Close());
  if (IsForked()) {
    // Their threads are the parent's; nobody can wait for them here.
    static_cast<void>(timer_.release());
    static_cast<void>(flusher_.release());
    static_cast<void>(merger_.release());
  }
}

Result<Table> Table::Impl::Open(std::unique_ptr<storage::Directory> directory,
                                const TableOptions& options) {
  return NoThrow([&]() -> Result<Table> {
    if (options.read_only) {
      return ToTable(OpenLocked(std::move(directory), nullptr, options));
    }
    // Before there is a lock file where there is no table.
    if (const auto manifest = table::LoadManifest(*directory); !manifest.ok()) {
      return manifest.status();
    }
    auto lock = table::LockForWriting(directory.get());
    if (!lock.ok()) {
      return lock.status();
    }
    return ToTable(OpenLocked(std::move(directory), *std::move(lock), options));
  });
}

Result<Table> Table::Impl::ToTable(Result<std::unique_ptr<Impl>> impl) {
  return impl.ok() ? Result<Table>(Table(*std::move(impl))) : impl.status();
}

Status Table::Impl::Refresh() {
  return NoThrow([&]() -> Status {
    if (!options_.read_only) {
      return Status::FailedPrecondition(
          "only a table that was opened read only is refreshed; the one that writes to it sees "
          "every row at once");
    }
    const std::scoped_lock refreshing(refresh_mutex_);
    if (const auto open = Current(); !open.ok()) {
      return open.status();
    }
    auto fresh = OpenLocked(directory_, nullptr, options_);
    if (!fresh.ok()) {
      return fresh.status();
    }
    const std::scoped_lock lock(keys_mutex_);
    if (const auto open = Current(); !open.ok()) {
      return open.status();  // It was closed meanwhile.
    }
    writer_epoch_ = (*fresh)->writer_epoch_.load();
    std::swap(keys_, (*fresh)->keys_);
    Publish((*fresh)->version_);
    return Status::Ok();
  });
}

Result<std::unique_ptr<Table::Impl>> Table::Impl::OpenLocked(
    const std::shared_ptr<storage::Directory>& directory,
    std::unique_ptr<storage::DirectoryLock> lock, const TableOptions& options) {
  const auto initialized = arrow::compute::Initialize();
  if (!initialized.ok()) {
    return Status::Unsupported(initialized.message());
  }
  for (std::uint64_t missed = 0;;) {
    auto manifest = table::LoadManifest(*directory);
    if (!manifest.ok()) {
      return manifest.status();
    }
    const std::uint64_t number = manifest->number;
    auto schema = SchemaOf(*manifest);
    if (!schema.ok()) {
      return schema.status();
    }
    if (Status good = CheckOptions(options, manifest->metric, schema->dim()); !good.ok()) {
      return good;
    }
    auto impl =
        std::make_unique<Impl>(directory, *std::move(schema), *std::move(manifest), options);
    impl->lock_ = std::move(lock);
    Status replayed = impl->Replay();
    if (replayed.ok()) {
      return impl;
    }
    // A writer that opens the table meanwhile removes files; its manifest is a newer one.
    if (replayed.os_error() == ENOENT && (!options.read_only || number == missed)) {
      return table::MissingFile(replayed);
    }
    if (replayed.os_error() != ENOENT) {
      return replayed;
    }
    missed = number;
  }
}

}  // namespace forebay
