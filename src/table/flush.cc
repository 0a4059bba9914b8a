// Flush: the MemTable is frozen and becomes a generation, in the background; puts go on into the
// next one. Searches see the rows all the way through: in the MemTable, in the frozen one, and then
// in the generation, which takes its place with the deaths of that moment.
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "base/no_throw.h"
#include "segment/mask_file.h"
#include "table/file_names.h"
#include "table/generation.h"
#include "table/log_files.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::Source;
using table::Version;

/// Adds the time that passes until it goes.
class Stopwatch {
 public:
  explicit Stopwatch(std::atomic<std::int64_t>* sum) : sum_(*sum) {}
  ~Stopwatch() {
    const auto passed = std::chrono::steady_clock::now() - start_;
    sum_ += std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<std::int64_t>& sum_;
};

}  // namespace

Status Table::Impl::Flush() {
  return NoThrow([&]() -> Status {
    for (bool frozen = false; !frozen;) {
      Write write;
      write.alone = [&]() -> Status {
        if (Status writable = CheckWritable(); !writable.ok()) {
          return writable;
        }
        frozen = !frozen_.has_value();  // Else that comes first.
        if (!frozen) {
          StartFlush();
          return Status::Ok();
        }
        return Freeze();
      };
      if (Status committed = Commit(&write); !committed.ok()) {
        return committed;
      }
      if (Status flushed = WaitForFlush(); !flushed.ok()) {
        return flushed;
      }
    }
    return Status::Ok();
  });
}

bool Table::Impl::FitsMemTable(std::uint64_t num_rows, std::uint64_t num_bytes) const {
  return num_rows <= options_.max_memtable_rows && num_bytes <= options_.max_memtable_bytes;
}

Status Table::Impl::MakeRoom(std::size_t num_rows, std::size_t num_bytes) {
  bool must_wait = false;
  Write write;
  write.alone = [&]() -> Status {
    if (Status writable = CheckWritable(); !writable.ok()) {
      return writable;  // After Close there is no version.
    }
    const Source& memtable = version_->memtable();
    if (FitsMemTable(memtable.rows.size() + num_rows, memtable.num_bytes() + num_bytes)) {
      return Status::Ok();
    }
    if (memtable.rows.size() == 0 || !FitsMemTable(num_rows, num_bytes)) {
      return Status::CapacityExceeded(fmt::format(
          "a MemTable may hold {} rows in {} bytes; this batch has {} in {}; put it in smaller "
          "ones, or open the table with larger limits",
          options_.max_memtable_rows, options_.max_memtable_bytes, num_rows, num_bytes));
    }
    must_wait = frozen_.has_value();
    if (must_wait) {
      StartFlush();
      return Status::Ok();
    }
    return Freeze();
  };
  Status committed = Commit(&write);
  if (!committed.ok() || !must_wait) {
    return committed;
  }
  const Stopwatch waited(&waited_ns_);
  Status flushed = WaitForFlush();
  if (flushed.ok()) {
    return flushed;
  }
  std::string message =
      fmt::format("the MemTable is full, and cannot be flushed: {}", flushed.message());
  return flushed.os_error() == 0 ? Status(flushed.code(), std::move(message))
                                 : Status::IoError(std::move(message), flushed.os_error());
}

Result<std::unique_ptr<wal::WalWriter>> Table::Impl::BeginLog(std::uint64_t first_sequence_number,
                                                              table::Manifest* next) const {
  const std::string name = table::LogName(next->number, next->writer_epoch);
  if (Status removed = storage::RemoveIfThere(directory_.get(), name); !removed.ok()) {
    return removed;
  }
  auto log = wal::WalWriter::Create(directory_.get(), name,
                                    {.schema_fingerprint = table::SchemaFingerprint(*next),
                                     .model_fingerprint = next->model_fingerprint.value_or(0),
                                     .writer_epoch = next->writer_epoch,
                                     .first_sequence_number = first_sequence_number});
  if (log.ok()) {
    next->logs.push_back({name, (*log)->durable_size()});
  }
  return log;
}

Status Table::Impl::Freeze() {
  const Source& memtable = version_->memtable();
  if (memtable.rows.size() == 0) {
    return version_->sequence_number == manifest_.sequence_number ? Status::Ok() : MaskDeaths();
  }
  auto empty = EmptyMemTable(version_->model, memtable.rows.first_row_id() + memtable.rows.size());
  if (!empty.ok()) {
    return empty.status();
  }
  auto after = std::make_shared<Version>(*version_);
  auto frozen = std::make_shared<Source>(memtable);
  auto keys = std::make_shared<table::KeyIndex>();
  frozen->keys = schema_.key_column().has_value() ? keys : nullptr;
  after->sources.back() = std::move(frozen);
  after->sources.push_back(*std::move(empty));
  if (Status begun = BeginNextLog(manifest_); !begun.ok()) {
    return begun;
  }
  frozen_.emplace(version_->sequence_number, manifest_.logs.back().name);
  CountLogged(after.get());
  {
    const std::scoped_lock lock(keys_mutex_);
    std::swap(*keys, keys_);
    Publish(std::move(after));
  }
  StartFlush();
  return Status::Ok();
}

Status Table::Impl::MaskDeaths() {
  auto after = std::make_shared<Version>(*version_);
  table::Manifest next = manifest_;
  if (Status masked = WriteMasks(after.get(), &next); !masked.ok()) {
    return masked;
  }
  next.sequence_number = version_->sequence_number;
  next.logs.clear();
  const table::Manifest before = manifest_;
  if (Status begun = BeginNextLog(std::move(next)); !begun.ok()) {
    return begun;
  }
  CountLogged(after.get());
  Publish(std::move(after));
  RemoveDropped(before);
  return Status::Ok();
}

Status Table::Impl::BeginNextLog(table::Manifest next) {
  if (Status synced = SyncAll(); !synced.ok()) {
    return synced;
  }
  ++next.number;
  if (!next.logs.empty()) {
    next.logs.back().durable_bytes = log_->durable_size();
  }
  auto log = BeginLog(version_->sequence_number + 1, &next);
  if (!log.ok()) {
    return log.status();  // The old one goes on.
  }
  // If memory runs out on the way, it may be published.
  const Status published = NoThrow([&] { return table::PublishManifest(directory_.get(), next); });
  if (!published.ok()) {
    return Poison(published);  // It may be the newest one or not.
  }
  manifest_ = std::move(next);
  log_ = *std::move(log);
  return Status::Ok();
}

void Table::Impl::StartFlush() {
  const std::scoped_lock lock(flush_mutex_);
  if (flushing_ || stopping_) {
    return;
  }
  flusher_->Run([this] {
    if (const Status status = NoThrow([&] { return FlushFrozen(); }); !status.ok()) {
      EndFlush(status);
    }
  });
  flushing_ = true;
}

void Table::Impl::EndFlush(const Status& status) {
  const std::scoped_lock lock(flush_mutex_);
  flushing_ = false;
  flush_status_ = status;
  flushed_.notify_all();
}

void Table::Impl::StopFlushing() {
  const std::scoped_lock lock(flush_mutex_);
  stopping_ = true;
  flushed_.notify_all();
}

Status Table::Impl::WaitForFlush() {
  std::unique_lock lock(flush_mutex_);
  flushed_.wait(lock, [&] { return !flushing_ || stopping_; });
  return stopping_ ? Closed() : flush_status_;
}

Result<table::Projection> Table::Impl::StoredColumns() const {
  std::vector<std::string> columns = schema_.arrow()->field_names();
  columns.emplace_back("_rowid");
  return table::Projection::Make(schema_, columns);
}

Status Table::Impl::FlushFrozen() {
  const auto version = Current();
  if (!version.ok()) {
    return version.status();
  }
  const Source& frozen = *(*version)->sources[(*version)->sources.size() - 2];
  std::uint64_t number = 0;
  Write ask;
  ask.alone = [&] {
    number = manifest_.next_generation++;
    return CheckWritable();
  };
  if (Status writable = Commit(&ask); !writable.ok()) {
    return writable;
  }
  const auto projection = StoredColumns();
  if (!projection.ok()) {
    return projection.status();
  }
  table::GenerationContent content = {
      .number = number, .num_rows = frozen.rows.size(), .index = frozen.index.get()};
  if (frozen.keys != nullptr) {
    content.keys = frozen.keys->ToVector();
  }
  std::size_t next = 0;
  content.next = [&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    if (stopping_) {
      return Closed();
    }
    const auto batches = frozen.rows.batches();
    return next == batches.size() ? Result<std::shared_ptr<arrow::RecordBatch>>(nullptr)
                                  : projection->Of(*batches[next++]);
  };
  std::optional<IvfPqModel> model;
  if (frozen.index != nullptr) {
    model = frozen.index->model();
  }
  auto made = table::MakeGeneration(directory_.get(), schema_, std::move(content), model);
  if (!made.ok()) {
    return made.status();
  }
  Write write;
  write.alone = [&] { return InstallFlushed(*std::move(made)); };
  return RemoveUnlessOk(number, Commit(&write));
}

Status Table::Impl::RemoveUnlessOk(std::uint64_t generation, Status status) {
  if (!status.ok()) {
    Write write;
    write.alone = [&] {
      const auto& named = manifest_.generations;
      const bool is_named = std::any_of(named.begin(), named.end(),
                                        [&](const auto& one) { return one.number == generation; });
      if (!refuses_ && !is_named) {  // Else a manifest may name them.
        table::RemoveGeneration(directory_.get(), generation);
      }
      return Status::Ok();
    };
    static_cast<void>(Commit(&write));
  }
  return status;
}

Status Table::Impl::InstallFlushed(table::NewGeneration generation) {
  if (Status writable = CheckWritable(); !writable.ok()) {
    return writable;
  }
  auto after = std::make_shared<Version>(*version_);
  auto& place = after->sources[after->sources.size() - 2];
  generation.source.dead = place->dead;
  generation.source.num_dead = place->num_dead;
  place = std::make_shared<const Source>(std::move(generation.source));
  table::Manifest next = manifest_;
  if (generation.files.model_fingerprint == next.model_fingerprint &&
      !next.model_quantization_error.has_value()) {
    next.model_quantization_error = generation.files.quantization_error;
    after->model_quantization_error = generation.files.quantization_error;
  }
  next.generations.push_back(std::move(generation.files));
  next.sequence_number = frozen_->sequence_number;
  next.next_row_id = after->memtable().rows.first_row_id();
  while (next.logs.front().name != frozen_->next_log) {
    next.logs.erase(next.logs.begin());
  }
  Status installed = InstallGenerations(std::move(after), std::move(next));
  if (installed.ok()) {
    // Whoever leads next may freeze the MemTable and begin another flush.
    frozen_.reset();
    EndFlush(Status::Ok());
    ++num_flushes_;
    MergeInBackground();
  }
  return installed;
}

Status Table::Impl::InstallGenerations(std::shared_ptr<Version> after, table::Manifest next) {
  if (Status masked = WriteMasks(after.get(), &next); !masked.ok()) {
    return masked;
  }
  const table::Manifest before = manifest_;
  if (Status published = PublishNext(std::move(next)); !published.ok()) {
    return Poison(published);  // It may be the newest one or not.
  }
  CountLogged(after.get());
  Publish(std::move(after));
  RemoveDropped(before);
  return Status::Ok();
}

void Table::Impl::RemoveDropped(const table::Manifest& before) noexcept {
  // What is not removed now is by the next opening.
  static_cast<void>(NoThrow([&] {
    table::RemoveDroppedFiles(directory_.get(), before, manifest_);
    return Status::Ok();
  }));
}

Status Table::Impl::SyncAll() {
  const bool durable = log_->durable_size() == log_->size();
  const Status synced = durable ? Status::Ok() : SyncLog();
  return synced.ok() ? synced : Poison(synced);
}

Status Table::Impl::WriteMasks(Version* version, table::Manifest* next) {
  // A mask must not know of a death that the log might lose.
  if (Status synced = SyncAll(); !synced.ok()) {
    return synced;
  }
  for (std::size_t i = 0; i < next->generations.size(); ++i) {
    table::ManifestGeneration& generation = next->generations[i];
    const Source& source = *version->sources[i];
    if (source.num_dead == generation.num_dead) {
      continue;
    }
    const std::string name = table::MaskName(generation.number, manifest_.number + 1);
    if (Status removed = storage::RemoveIfThere(directory_.get(), name); !removed.ok()) {
      return removed;
    }
    auto mask = segment::WriteMask(directory_.get(), name, source.dead->Words(source.rows.size()),
                                   source.rows.size());
    if (!mask.ok()) {
      return mask.status();
    }
    generation.num_dead = source.num_dead;
    auto masked = std::make_shared<Source>(source);
    masked->generation.mask_bytes = mask->num_bytes;
    version->sources[i] = std::move(masked);
    generation.mask = *std::move(mask);
  }
  return directory_->SyncNames();
}

}  // namespace forebay
