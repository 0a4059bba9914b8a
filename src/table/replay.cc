// Replay: the rows and deaths that the logs hold become the first version. For writing, a new log
// is begun. Where the logs hold what the manifest knows to be durable, and no more, they stay
// beside it; else what was replayed is written into it. (What can be read of a log need not be
// durable: its writer may have died, or seen a sync fail, and no later sync makes up for that. And
// it may end in the middle of a record.)
#include <arrow/array/array_base.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/no_throw.h"
#include "table/arrow_status.h"
#include "table/generation.h"
#include "table/log_files.h"
#include "table/log_record.h"
#include "table/model_store.h"
#include "table/table_impl.h"
#include "wal/wal_format.h"

namespace forebay {
namespace {

using table::LoggedRecord;
using table::LogRecordType;
using table::Source;
using table::Version;

/// Puts that are replayed together, so that their rows are encoded on all threads.
constexpr std::size_t kRowsTogether = 65'536;
/// Records that are written to the new log at once.
constexpr std::size_t kRecordsAtOnce = 64;
/// With more, an opening puts them together.
constexpr std::size_t kMaxLogs = 16;

bool IsPut(const LoggedRecord& logged) {
  return logged.record.type == static_cast<std::uint32_t>(LogRecordType::kPut);
}

/// Writes them to a new log, durably.
Status CopyRecords(std::span<const LoggedRecord> replayed, wal::WalWriter* log) {
  while (!replayed.empty()) {
    const auto some = replayed.first(std::min(kRecordsAtOnce, replayed.size()));
    std::vector<wal::WalRecord> records;
    for (const LoggedRecord& logged : some) {
      records.push_back(logged.record);
    }
    if (Status written = log->Append(records); !written.ok()) {
      return written;
    }
    replayed = replayed.subspan(some.size());
  }
  return log->Sync();
}

Status Misfit(const wal::WalRecord& record, std::string_view what) {
  return Status::Corruption(fmt::format("batch {} of the log {}; restore the log from a copy",
                                        record.sequence_number, what));
}

}  // namespace

Status Table::Impl::Replay() {
  // All files before what takes long: a writer may remove them meanwhile.
  const auto files = table::MapGenerations(*directory_, manifest_.generations);
  if (!files.ok()) {
    return files.status();
  }
  auto logs = table::ReadLogs(*directory_, manifest_);
  if (!logs.ok()) {
    return logs.status();
  }
  auto flushed = std::make_shared<Version>();
  flushed->sequence_number = manifest_.sequence_number;
  if (Status opened = OpenGenerations(*files, flushed.get()); !opened.ok()) {
    return opened;
  }
  auto memtable = EmptyMemTable(flushed->model, manifest_.next_row_id);
  if (!memtable.ok()) {
    return memtable.status();
  }
  flushed->sources.push_back(*std::move(memtable));
  const std::uint64_t num_masked = flushed->num_dead();
  version_ = std::move(flushed);
  recovery_.torn_bytes = logs->torn_bytes;
  for (std::span<const LoggedRecord> rest = logs->records; !rest.empty();) {
    const auto num_done = IsPut(rest.front()) ? ReplayPuts(rest) : ReplayDelete(rest.front());
    if (!num_done.ok()) {
      return num_done.status();
    }
    rest = rest.subspan(*num_done);
  }
  recovery_.num_deaths = version_->num_dead() - num_masked;
  writer_epoch_ = manifest_.writer_epoch;
  auto replayed = std::make_shared<Version>(*version_);
  replayed->wal_bytes = logs->num_bytes;
  Publish(std::move(replayed));
  if (options_.read_only) {
    refuses_ = true;
    refusal_ = ReadOnly();
    return Status::Ok();
  }
  return BeginWriting(logs->records, logs->all_durable);
}

Status Table::Impl::OpenGenerations(std::span<const table::GenerationFiles> files,
                                    Version* version) {
  std::map<std::uint64_t, IvfPqModel> models;
  for (const std::uint64_t fingerprint : table::NamedModels(manifest_)) {
    auto model = table::ReadModel(*directory_, fingerprint);
    if (!model.ok()) {
      return model.status();
    }
    models.emplace(fingerprint, *std::move(model));
  }
  if (manifest_.model_fingerprint.has_value()) {
    version->model = models.at(*manifest_.model_fingerprint);
    version->model_quantization_error = manifest_.model_quantization_error;
  }
  for (const table::GenerationFiles& of_generation : files) {
    std::optional<IvfPqModel> model;
    if (const auto fingerprint = of_generation.generation.model_fingerprint; fingerprint) {
      model = models.at(*fingerprint);
    }
    auto source =
        table::OpenGeneration(*directory_, of_generation, schema_, model, options_.verify_on_open);
    if (!source.ok()) {
      return source.status();
    }
    version->sources.push_back(std::make_shared<const Source>(*std::move(source)));
  }
  return Status::Ok();
}

Result<std::shared_ptr<const Source>> Table::Impl::EmptyMemTable(
    const std::optional<IvfPqModel>& model, std::uint64_t first_row_id) const {
  auto memtable = std::make_shared<Source>();
  memtable->rows = table::Rows(first_row_id);
  if (model.has_value()) {
    auto index = IvfPqMemIndex::Create(*model, IndexOptions());
    if (!index.ok()) {
      return index.status();
    }
    memtable->index = std::make_shared<IvfPqMemIndex>(*std::move(index));
  }
  return std::shared_ptr<const Source>(std::move(memtable));
}

Result<std::size_t> Table::Impl::ReplayPuts(std::span<const LoggedRecord> records) {
  std::vector<std::unique_ptr<Write>> writes;
  std::vector<Write*> group;
  const table::Rows& rows = version_->memtable().rows;
  std::uint64_t next_row = rows.size();
  for (const LoggedRecord& logged : records) {
    if (!IsPut(logged) || next_row - rows.size() >= kRowsTogether) {
      break;
    }
    auto write = ReadPut(logged);
    if (!write.ok()) {
      return write.status();
    }
    const std::uint64_t sequence_number = version_->sequence_number + group.size() + 1;
    if (logged.record.argument != rows.first_row_id() + next_row ||
        logged.record.sequence_number != sequence_number) {
      return Misfit(logged.record, "does not follow the one before it");
    }
    next_row += (*write)->report.num_rows;
    group.push_back(write->get());
    writes.push_back(*std::move(write));
  }
  const std::shared_ptr<const Version> before = version_;
  Appended appended(*before, group.size());
  Status status = AddRows(group, &appended.memtable->rows);
  status = status.ok() ? Index(before->memtable(), group) : status;
  status = status.ok() ? AddKeys(*before, group, &appended) : status;
  if (!status.ok()) {
    return status;
  }
  recovery_.num_batches += group.size();
  recovery_.num_rows += next_row - rows.size();
  PublishAppended(std::move(appended));
  return group.size();
}

Result<std::unique_ptr<Table::Impl::Write>> Table::Impl::ReadPut(const LoggedRecord& logged) const {
  const wal::WalRecord& record = logged.record;
  const auto* payload = reinterpret_cast<const std::uint8_t*>(record.payload.data());
  auto batch =
      table::DecodePut(arrow::SliceBuffer(logged.file, payload - logged.file->data(),
                                          static_cast<std::int64_t>(record.payload.size())),
                       options_.verify_on_open);
  if (!batch.ok()) {
    return Status(batch.status().code(), Misfit(record, batch.status().message()).message());
  }
  if (!(*batch)->schema()->Equals(*schema_.arrow())) {
    return Misfit(record, "has other columns than the table");
  }
  auto write = std::make_unique<Write>();
  write->batch = *std::move(batch);
  write->report.sequence_number = record.sequence_number;
  write->report.num_rows = static_cast<std::size_t>(write->batch->num_rows());
  if (const auto key = schema_.key_column(); key.has_value()) {
    const auto& column = write->batch->column(*key);
    if (column->null_count() > 0) {
      return Misfit(record, "has a null in the primary key");
    }
    write->keys = table::KeysOf(*column);
  }
  return write;
}

Result<std::size_t> Table::Impl::ReplayDelete(const LoggedRecord& logged) {
  const wal::WalRecord& record = logged.record;
  if (record.type != static_cast<std::uint32_t>(LogRecordType::kDelete)) {
    return Status::Unsupported(fmt::format(
        "batch {} of the log is of type {}, which this build does not know; use a newer one",
        record.sequence_number, record.type));
  }
  if (record.sequence_number != version_->sequence_number + 1) {
    return Misfit(record, "does not follow the one before it");
  }
  const auto row_ids = table::DecodeDelete(record.payload);
  if (!row_ids.ok()) {
    return Misfit(record, row_ids.status().message());
  }
  std::vector<table::RowPlace> rows;
  for (const std::uint64_t row_id : *row_ids) {
    const auto row = version_->FindRow(row_id);
    if (row.has_value()) {
      rows.push_back(*row);
    } else if (row_id >= version_->memtable().rows.first_row_id()) {
      return Misfit(record, fmt::format("deletes row {}, which is not there", row_id));
    }  // Else a generation's mask knows of it already, or a merge has left it out.
  }
  std::sort(rows.begin(), rows.end());
  const auto keys = MemTableKeys(*version_, rows);
  if (!keys.ok()) {
    return keys.status();
  }
  auto after = WithDeaths(*version_, rows, record.sequence_number);
  keys_.Remove(*keys);
  Publish(std::move(after));
  ++recovery_.num_batches;
  return std::size_t{1};
}

Status Table::Impl::BeginWriting(std::span<const LoggedRecord> replayed, bool all_durable) {
  table::Manifest next = manifest_;
  ++next.number;
  ++next.writer_epoch;
  std::erase_if(next.logs, [](const table::ManifestLog& log) {
    return log.durable_bytes <= sizeof(wal::FileHeader);  // Nothing was written to it.
  });
  const bool go_on = all_durable && next.logs.size() < kMaxLogs;
  if (!go_on) {
    next.logs.clear();
  }
  auto log = BeginLog((go_on ? version_->sequence_number : manifest_.sequence_number) + 1, &next);
  if (!log.ok()) {
    return log.status();
  }
  if (!go_on) {
    if (Status copied = CopyRecords(replayed, log->get()); !copied.ok()) {
      return copied;
    }
  }
  next.logs.back().durable_bytes = (*log)->durable_size();
  if (Status published = table::PublishManifest(directory_.get(), next); !published.ok()) {
    return published;
  }
  log_ = *std::move(log);
  manifest_ = std::move(next);
  writer_epoch_ = manifest_.writer_epoch;
  table::RemoveUnnamedFiles(directory_.get(), manifest_);
  auto begun = std::make_shared<Version>(*version_);
  CountLogged(begun.get());
  Publish(std::move(begun));
  auto flusher = std::make_unique<table::BackgroundThread>();
  merger_ = std::make_unique<table::BackgroundThread>();  // Where this fails there is neither.
  flusher_ = std::move(flusher);
  if (options_.sync == SyncPolicy::kInterval) {
    timer_ = std::make_unique<table::SyncTimer>(options_.sync_interval, [this] { SyncNow(); });
  }
  const Source& memtable = version_->memtable();
  if (!FitsMemTable(memtable.rows.size(), memtable.num_bytes())) {
    // Or, crash after crash, the logs would grow without end. Where it fails, the next put tells.
    static_cast<void>(Flush());
  }
  return Status::Ok();
}

}  // namespace forebay
