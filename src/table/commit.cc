// What the leader of the commit queue does: log a group, sync it while its rows are encoded,
// publish.
#include <arrow/array/array_base.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/no_throw.h"
#include "base/workers.h"
#include "table/log_record.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::LogRecordType;
using table::RowPlace;
using table::Source;
using table::Version;

/// Fewer bytes are logged and encoded by one thread: waking another costs more.
constexpr std::size_t kBytesWorthAThread = std::size_t{32} << 10U;

/// Of the puts that are committed together, unless there is one alone: they are copied, and those
/// that come meanwhile wait.
constexpr std::size_t kMaxGroupBytes = std::size_t{4} << 20U;

std::span<const std::byte> BytesOf(const arrow::Buffer& buffer) {
  return {reinterpret_cast<const std::byte*>(buffer.data()),
          static_cast<std::size_t>(buffer.size())};
}

}  // namespace

Status Table::Impl::Commit(Write* write) {
  if (IsForked()) {
    return Status::FailedPrecondition(fmt::format(
        "the table was opened by process {}, from which this one, {}, was forked; write "
        "there, or open it here once it is closed there",
        process_, ::getpid()));
  }
  queue_.Commit(write);
  return write->status;
}

bool Table::Impl::FitsGroup(std::span<Write* const> group, const Write& next) {
  if (group.front()->alone || next.alone) {
    return false;
  }
  std::size_t num_bytes = BytesOf(*next.payload).size();
  for (const Write* const write : group) {
    num_bytes += BytesOf(*write->payload).size();
  }
  return num_bytes <= kMaxGroupBytes;
}

void Table::Impl::CommitGroup(std::span<Write* const> group) {
  const Status status =
      NoThrow([&] { return group.front()->alone ? group.front()->alone() : CommitPuts(group); });
  for (Write* const write : group) {
    write->status = status;
  }
}

Status Table::Impl::CommitPuts(std::span<Write* const> group) {
  if (Status writable = CheckWritable(); !writable.ok()) {
    return writable;
  }
  const std::shared_ptr<const Version> before = version_;
  const Source& memtable = before->memtable();
  std::vector<Write*> writes;
  std::vector<wal::WalRecord> records;
  std::uint64_t num_rows = memtable.rows.size();
  std::uint64_t num_bytes = memtable.num_bytes();
  std::uint64_t sequence_number = before->sequence_number;
  for (Write* const write : group) {
    const auto payload = BytesOf(*write->payload);
    write->needs_room =
        !FitsMemTable(num_rows + write->report.num_rows, num_bytes + payload.size());
    if (write->needs_room) {
      continue;
    }
    write->report.sequence_number = ++sequence_number;
    write->report.first_row_id = memtable.rows.first_row_id() + num_rows;
    num_rows += write->report.num_rows;
    num_bytes += payload.size();
    writes.push_back(write);
    records.push_back({static_cast<std::uint32_t>(LogRecordType::kPut), sequence_number,
                       write->report.first_row_id, payload});
  }
  if (writes.empty()) {
    return Status::Ok();
  }
  Appended appended(*before, writes.size());
  Status status = LogWhile(records, {[&] { return Index(memtable, writes); },
                                     [&] { return AddKeys(*before, writes, &appended); },
                                     [&] { return AddRows(writes, &appended.memtable->rows); }});
  if (status.ok()) {
    CountLogged(appended.version.get());
    PublishAppended(std::move(appended));
  }
  return status;
}

Status Table::Impl::CommitDeaths(const std::shared_ptr<const Version>& before,
                                 const std::vector<RowPlace>& rows) {
  if (rows.empty()) {
    return Status::Ok();
  }
  const auto keys = MemTableKeys(*before, rows);
  if (!keys.ok()) {
    return keys.status();
  }
  std::vector<std::uint64_t> row_ids;
  row_ids.reserve(rows.size());
  for (const RowPlace row : rows) {
    row_ids.push_back(before->sources[row.source]->rows.row_id(row.ordinal));
  }
  const auto payload = table::EncodeDelete(row_ids);
  if (payload.size() > wal::kMaxPayloadBytes) {
    return Status::CapacityExceeded(
        fmt::format("a delete may take {} bytes in the log; this one, of {} rows, takes {}; delete "
                    "fewer at once",
                    wal::kMaxPayloadBytes, rows.size(), payload.size()));
  }
  const wal::WalRecord record = {static_cast<std::uint32_t>(LogRecordType::kDelete),
                                 before->sequence_number + 1, 0, payload};
  auto after = WithDeaths(*before, rows, record.sequence_number);
  Status status = LogWhile({&record, 1}, {});
  if (status.ok()) {
    CountLogged(after.get());
    const std::uint64_t wal_bytes = after->wal_bytes;
    {
      const std::scoped_lock lock(keys_mutex_);
      keys_.Remove(*keys);
      Publish(std::move(after));
    }
    if (wal_bytes > options_.max_memtable_bytes && !frozen_.has_value()) {
      // Deaths alone fill no MemTable, but the log. Should this fail, the next one tries again.
      static_cast<void>(NoThrow([&] { return Freeze(); }));
    }
  }
  return status;
}

Status Table::Impl::LogWhile(std::span<const wal::WalRecord> records,
                             std::initializer_list<std::function<Status()>> bodies) {
  std::size_t num_bytes = 0;
  for (const wal::WalRecord& record : records) {
    num_bytes += record.payload.size();
  }
  const auto log = [&] {
    const Status written = log_->Append(records);
    return written.ok() && options_.sync == SyncPolicy::kAlways ? SyncLog() : written;
  };
  std::vector<Status> statuses(1 + bodies.size());
  const auto run = [&](std::size_t task) {
    statuses[task] = task == 0 ? NoThrow(log) : NoThrow(bodies.begin()[task - 1]);
  };
  // The longest first: whoever is done with it takes what is left. (While one waits for the disk,
  // the other needs no time to spare.)
  Workers(options_.sync != SyncPolicy::kAlways && num_bytes < kBytesWorthAThread ? 1 : 2)
      .ForEach(statuses.size(), run);
  for (const Status& status : statuses) {
    if (!status.ok()) {
      return Poison(status);
    }
  }
  return Status::Ok();
}

Status Table::Impl::SyncLog() {
  ++num_syncs_;
  return log_->Sync();
}

void Table::Impl::CountLogged(Version* version) const {
  version->wal_bytes = log_->size();
  for (std::size_t i = 0; i + 1 < manifest_.logs.size(); ++i) {
    version->wal_bytes += manifest_.logs[i].durable_bytes;
  }
}

void Table::Impl::SyncNow() {
  Write write;
  write.alone = [this] { return refuses_ ? Status::Ok() : SyncAll(); };
  // Whoever writes next, or closes the table, is told of a failure.
  static_cast<void>(NoThrow([&] { return Commit(&write); }));
}

Status Table::Impl::Poison(const Status& cause) noexcept {
  refuses_ = true;
  static_cast<void>(NoThrow([&] {
    refusal_ = Status::FailedPrecondition(fmt::format(
        "an earlier write failed ({}); open the table again to go on", cause.message()));
    return Status::Ok();
  }));
  return cause;
}

Status Table::Impl::CheckWritable() const {
  if (!refuses_) {
    return Status::Ok();
  }
  return refusal_.ok() ? Status::FailedPrecondition(
                             "an earlier write ran out of memory; open the table again to go on")
                       : refusal_;
}

Table::Impl::Appended::Appended(const Version& before, std::uint64_t num_batches)
    : version(std::make_shared<Version>(before)),
      memtable(std::make_shared<Source>(before.memtable())) {
  version->sequence_number += num_batches;
  version->sources.back() = memtable;
}

Status Table::Impl::AddRows(std::span<Write* const> group, table::Rows* rows) const {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const Write* const write : group) {
    batches.push_back(write->batch);
  }
  auto more = rows->With(batches, schema_.vector_column());
  if (!more.ok()) {
    return more.status();
  }
  *rows = *std::move(more);
  return Status::Ok();
}

Status Table::Impl::AddKeys(const Version& before, std::span<Write* const> group,
                            Appended* appended) {
  std::uint32_t next_row = before.memtable().rows.size();
  std::vector<std::uint32_t> replaced;  // In the MemTable,
  std::vector<RowPlace> older;          // and before it.
  for (Write* const write : group) {
    for (const table::Key& key : write->keys) {
      if (const auto row = appended->keys.Add(keys_, key, next_row++); row.has_value()) {
        replaced.push_back(*row);
        ++write->report.num_replaced;
      } else if (const auto place = before.FindOlder(key); place.has_value()) {
        older.push_back(*place);
        ++write->report.num_replaced;
      }
    }
  }
  if (!replaced.empty()) {
    appended->memtable->Kill(replaced);
  }
  std::sort(older.begin(), older.end());
  appended->version->Kill(older);
  const std::scoped_lock lock(keys_mutex_);
  keys_.MakeRoomFor(appended->keys);
  return Status::Ok();
}

Status Table::Impl::Index(const Source& memtable, std::span<Write* const> group) const {
  if (memtable.index == nullptr) {
    return Status::Ok();
  }
  std::vector<StoredBatch> batches;
  std::uint64_t row = memtable.rows.size();
  for (const Write* const write : group) {
    batches.push_back({write->batch, row});
    row += write->report.num_rows;
  }
  // No reader sees these rows before the version that has them.
  return InsertBatches(*memtable.index, batches, options_.num_threads).status();
}

void Table::Impl::PublishAppended(Appended appended) noexcept {
  const std::scoped_lock lock(keys_mutex_);
  keys_.Apply(std::move(appended.keys));
  Publish(std::move(appended.version));
}

std::shared_ptr<Version> Table::Impl::WithDeaths(const Version& before,
                                                 std::span<const RowPlace> rows,
                                                 std::uint64_t sequence_number) {
  auto after = std::make_shared<Version>(before);
  after->sequence_number = sequence_number;
  after->Kill(rows);
  return after;
}

Result<std::vector<table::Key>> Table::Impl::KeysOfRows(const Version& version,
                                                        std::span<const RowPlace> rows) const {
  const auto key = schema_.key_column();
  if (!key.has_value() || rows.empty()) {
    return std::vector<table::Key>();
  }
  const auto column = version.Take(*key, schema_.arrow()->field(*key)->type(), rows);
  if (!column.ok()) {
    return column.status();
  }
  return table::KeysOf(**column);
}

Result<std::vector<table::Key>> Table::Impl::MemTableKeys(const Version& version,
                                                          std::span<const RowPlace> rows) const {
  const auto first =
      std::lower_bound(rows.begin(), rows.end(), RowPlace{version.memtable_place(), 0});
  return KeysOfRows(version, {first, rows.end()});
}

void Table::Impl::Publish(std::shared_ptr<const Version> version) noexcept {
  const std::scoped_lock lock(version_mutex_);
  version_.swap(version);  // What it was goes when the mutex is free again.
}

}  // namespace forebay
