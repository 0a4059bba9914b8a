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
using table::RowSet;
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

/// Gives the version a copy of its deaths with these as well.
void AddDeaths(std::span<const std::uint32_t> rows, Version* version) {
  if (rows.empty()) {
    return;
  }
  auto dead = version->dead == nullptr ? std::make_shared<RowSet>()
                                       : std::make_shared<RowSet>(*version->dead);
  for (const std::uint32_t row : rows) {
    version->num_dead += dead->Add(row) ? 1U : 0U;
  }
  version->dead = std::move(dead);
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
    // A put that found no room has its own.
    write->status = write->status.ok() ? status : write->status;
  }
}

Status Table::Impl::CommitPuts(std::span<Write* const> group) {
  if (Status writable = CheckWritable(); !writable.ok()) {
    return writable;
  }
  const std::shared_ptr<const Version> before = version_;
  std::vector<Write*> writes;
  std::vector<wal::WalRecord> records;
  std::uint64_t num_rows = before->rows.size();
  std::uint64_t num_bytes = before->num_bytes();
  std::uint64_t sequence_number = before->sequence_number;
  for (Write* const write : group) {
    const auto payload = BytesOf(*write->payload);
    if (num_rows + write->report.num_rows > options_.max_memtable_rows ||
        num_bytes + payload.size() > options_.max_memtable_bytes) {
      write->status = Status::CapacityExceeded(fmt::format(
          "the MemTable holds {} rows in {} bytes, and may hold {} in {}; this batch has {} in {}; "
          "open the table with larger limits",
          num_rows, num_bytes, options_.max_memtable_rows, options_.max_memtable_bytes,
          write->report.num_rows, payload.size()));
      continue;
    }
    write->report.sequence_number = ++sequence_number;
    write->report.first_row_id = before->first_row_id + num_rows;
    num_rows += write->report.num_rows;
    num_bytes += payload.size();
    writes.push_back(write);
    records.push_back({static_cast<std::uint32_t>(LogRecordType::kPut), sequence_number,
                       write->report.first_row_id, payload});
  }
  if (writes.empty()) {
    return Status::Ok();
  }
  Appended appended;
  appended.version = std::make_shared<Version>(*before);
  appended.version->sequence_number = sequence_number;
  const Status status =
      LogWhile(records, {[&] { return Index(*before, writes); },
                         [&] { return AddKeys(before->rows.size(), writes, &appended); },
                         [&] { return AddRows(writes, &appended.version->rows); }});
  if (status.ok()) {
    CountLogged(appended.version.get());
    PublishAppended(std::move(appended));
  }
  return status;
}

Status Table::Impl::CommitDeaths(const std::shared_ptr<const Version>& before,
                                 const std::vector<std::uint32_t>& rows) {
  if (rows.empty()) {
    return Status::Ok();
  }
  const auto keys = KeysOfRows(*before, rows);
  if (!keys.ok()) {
    return keys.status();
  }
  std::vector<std::uint64_t> row_ids;
  row_ids.reserve(rows.size());
  for (const std::uint32_t row : rows) {
    row_ids.push_back(before->first_row_id + row);
  }
  const auto payload = table::EncodeDelete(row_ids);
  const wal::WalRecord record = {static_cast<std::uint32_t>(LogRecordType::kDelete),
                                 before->sequence_number + 1, 0, payload};
  auto after = WithDeaths(*before, rows, record.sequence_number);
  Status status = LogWhile({&record, 1}, {});
  if (status.ok()) {
    CountLogged(after.get());
    const std::scoped_lock lock(keys_mutex_);
    keys_.Remove(*keys);
    Publish(std::move(after));
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
  version->wal_bytes += log_->size() - version->log_bytes;
  version->log_bytes = log_->size();
}

void Table::Impl::SyncNow() {
  Write write;
  write.alone = [this] {
    if (refuses_ || log_->durable_size() == log_->size()) {
      return Status::Ok();
    }
    const Status synced = SyncLog();
    return synced.ok() ? synced : Poison(synced);
  };
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

Status Table::Impl::AddKeys(std::uint32_t first_row, std::span<Write* const> group,
                            Appended* appended) {
  std::vector<std::uint32_t> replaced;
  for (Write* const write : group) {
    for (const table::Key& key : write->keys) {
      if (const auto older = appended->keys.Add(keys_, key, first_row++); older.has_value()) {
        replaced.push_back(*older);
        ++write->report.num_replaced;
      }
    }
  }
  AddDeaths(replaced, appended->version.get());
  const std::scoped_lock lock(keys_mutex_);
  keys_.MakeRoomFor(appended->keys);
  return Status::Ok();
}

Status Table::Impl::Index(const Version& before, std::span<Write* const> group) const {
  if (before.index == nullptr) {
    return Status::Ok();
  }
  std::vector<StoredBatch> batches;
  std::uint64_t row = before.rows.size();
  for (const Write* const write : group) {
    batches.push_back({write->batch, row});
    row += write->report.num_rows;
  }
  // No reader sees these rows before the version that has them.

  return InsertBatches(*before.index, batches, options_.num_threads).status();
}

void Table::Impl::PublishAppended(Appended appended) noexcept {
  const std::scoped_lock lock(keys_mutex_);
  keys_.Apply(std::move(appended.keys));
  Publish(std::move(appended.version));
}

std::shared_ptr<Version> Table::Impl::WithDeaths(const Version& before,
                                                 std::span<const std::uint32_t> rows,
                                                 std::uint64_t sequence_number) {
  auto after = std::make_shared<Version>(before);
  after->sequence_number = sequence_number;
  AddDeaths(rows, after.get());
  return after;
}

Result<std::vector<table::Key>> Table::Impl::KeysOfRows(
    const Version& version, const std::vector<std::uint32_t>& rows) const {
  const auto key = schema_.key_column();
  if (!key.has_value()) {
    return std::vector<table::Key>();
  }
  const auto column = version.rows.Take(*key, schema_.arrow()->field(*key)->type(), rows);
  if (!column.ok()) {
    return column.status();
  }
  return table::KeysOf(**column);
}

void Table::Impl::Publish(std::shared_ptr<const Version> version) noexcept {
  const std::scoped_lock lock(version_mutex_);
  version_.swap(version);  // What it was goes when the mutex is free again.
}

}  // namespace forebay
