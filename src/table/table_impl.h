// Table::Impl: the state of an open table. Each verb has a file of its own.
//
// Thread safety: as Table. Writers go through the queue, whose leader alone touches what is the
// leader's below; readers copy `version_` under a mutex that is held for no longer than that.
//
// Invariants:
//   1. A row's ordinal is its place in the MemTable; its `_rowid` is first_row_id + ordinal.
//   2. `keys_` and `version_` change together, under `keys_mutex_`: who holds it sees both of one
//      batch.
//   3. A version is published when all that it shows is durable as far as the sync policy says.
//   4. What can fail because of a batch comes before the log is written: whatever is in a log can
//   be
//      replayed. If anything fails after the first byte was written, the table takes no more
//      writes: nobody knows what is in the log.
//   5. Only the process that opened it writes: a forked child shares its lock, and the log's end.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include "forebay/table.h"
#include "storage/directory.h"
#include "table/commit_queue.h"
#include "table/key_index.h"
#include "table/log_files.h"
#include "table/manifest.h"
#include "table/projection.h"
#include "table/sync_timer.h"
#include "table/table_schema.h"
#include "table/version.h"
#include "wal/wal_writer.h"

namespace arrow {
class Buffer;
class RecordBatch;
}  // namespace arrow

namespace forebay {

class Table::Impl {
 public:
  /// One call of a verb that writes, on its way through the queue.
  struct Write {
    /// Anything but a put: what the leader shall do, for this write alone.
    std::function<Status()> alone = nullptr;

    // A put; puts are committed together.
    std::shared_ptr<arrow::RecordBatch> batch;
    std::shared_ptr<arrow::Buffer> payload;
    std::vector<table::Key> keys;  // Of the batch's rows, if they have any.
    PutReport report;

    Status status;  // What became of it.
  };

  Impl(std::shared_ptr<storage::Directory> directory, table::TableSchema schema,
       table::Manifest manifest, const TableOptions& options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  // create.cc, open.cc
  /// The first manifest; what cannot be a table, or opened like this, is found here.
  static Result<table::Manifest> Describe(const TableDefinition& definition,
                                          const TableOptions& options);
  static Result<Table> Create(std::unique_ptr<storage::Directory> directory,
                              const TableDefinition& definition, const TableOptions& options);
  static Result<Table> Open(std::unique_ptr<storage::Directory> directory,
                            const TableOptions& options);

  // A file for each, named after it.
  Result<PutReport> Put(const arrow::RecordBatch& batch);
  Result<std::uint64_t> Delete(const arrow::Array& keys);
  Result<std::uint64_t> Delete(const arrow::compute::Expression& filter);
  Status Train(const TrainOptions& asked);
  Status Close();
  [[nodiscard]] Result<TableSearchResult> Search(VectorView queries,
                                                 const TableSearchOptions& options) const;
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatch>> Get(
      const arrow::Array& keys, const std::vector<std::string>& columns) const;
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatch>> Take(
      std::span<const std::uint64_t> row_ids, const std::vector<std::string>& columns) const;
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatchReader>> Scan(
      const arrow::compute::Expression* filter, const std::vector<std::string>& columns) const;
  [[nodiscard]] Result<std::uint64_t> Count(const arrow::compute::Expression* filter) const;
  [[nodiscard]] Result<VerifyReport> Verify() const;

  [[nodiscard]] Result<TableStats> Stats() const;
  [[nodiscard]] std::optional<IvfPqModel> Model() const;
  [[nodiscard]] const table::TableSchema& schema() const { return schema_; }
  [[nodiscard]] Metric metric() const { return metric_; }
  [[nodiscard]] const RecoveryReport& recovery() const { return recovery_; }

 private:
  static Status CheckOptions(const TableOptions& options, Metric metric, std::size_t dim);
  /// With the lock, or without one to read only.
  static Result<Table> OpenLocked(std::unique_ptr<storage::Directory> directory,
                                  std::unique_ptr<storage::DirectoryLock> lock,
                                  const TableOptions& options);

  static Status Closed();
  static Status ReadOnly();
  [[nodiscard]] bool IsForked() const;
  /// What there is to read; kFailedPrecondition once the table is closed.
  [[nodiscard]] Result<std::shared_ptr<const table::Version>> Current() const;
  /// Takes the write through the queue.
  Status Commit(Write* write);
  /// The bound filter; nullopt for nullptr.
  [[nodiscard]] Result<std::optional<arrow::compute::Expression>> Bind(
      const arrow::compute::Expression* filter) const;
  [[nodiscard]] Result<table::Projection> Project(const std::vector<std::string>& columns) const;
  [[nodiscard]] Status CheckKeys(const arrow::Array& keys) const;

  /// Deletes the rows that choose(version) gives, in ascending order. How many.
  Result<std::uint64_t> DeleteRows(
      const std::function<Result<std::vector<std::uint32_t>>(const table::Version&)>& choose);

  // search.cc
  [[nodiscard]] Result<table::Projection> ProjectHits(std::vector<std::string> columns) const;
  /// The nearest rows of each query, by ordinal.
  [[nodiscard]] Result<std::vector<std::vector<Hit>>> FindNearest(const table::Version& version,
                                                                  VectorView queries,
                                                                  const TableSearchOptions& options,
                                                                  SourceStats* stats) const;

  // verify.cc
  Status VerifyFilesOnce(const table::Version& version, VerifyReport* report) const;
  Status VerifyFiles(const table::Version& version, VerifyReport* report) const;
  Status VerifyKeys(const table::Version& version, const table::RowSet& live,
                    VerifyReport* report) const;
  Status VerifyRows(const table::Version& version, VerifyReport* report) const;

  // commit.cc: the leader's.
  static bool FitsGroup(std::span<Write* const> group, const Write& next);
  void CommitGroup(std::span<Write* const> group);
  Status CommitPuts(std::span<Write* const> group);
  /// The rows are alive, and ascend.
  Status CommitDeaths(const std::shared_ptr<const table::Version>& before,
                      const std::vector<std::uint32_t>& rows);
  /// Writes records to the log and syncs it, and runs the bodies, at the same time as far as that
  /// pays. If any of it fails, the table takes no more writes.
  Status LogWhile(std::span<const wal::WalRecord> records,
                  std::initializer_list<std::function<Status()>> bodies);
  Status SyncLog();
  /// Counts what was logged since the version that this one was made from.
  void CountLogged(table::Version* version) const;
  /// What the timer does.
  void SyncNow();
  /// Refuses writes from now on. Returns `cause`.
  Status Poison(const Status& cause) noexcept;
  /// Why writes are refused, if they are.
  [[nodiscard]] Status CheckWritable() const;

  /// A version with more rows, which is not published yet, and their keys.
  struct Appended {
    std::shared_ptr<table::Version> version;
    table::KeyIndex::Addition keys;
  };
  /// Puts the rows of a group behind those that are there.
  Status AddRows(std::span<Write* const> group, table::Rows* rows) const;
  /// Finds what those rows replace, and makes room for their keys.
  Status AddKeys(std::uint32_t first_row, std::span<Write* const> group, Appended* appended);
  /// Encodes the rows of a group into the index, if there is one.
  Status Index(const table::Version& before, std::span<Write* const> group) const;
  void PublishAppended(Appended appended) noexcept;
  /// A version in which these rows are dead.
  static std::shared_ptr<table::Version> WithDeaths(const table::Version& before,
                                                    std::span<const std::uint32_t> rows,
                                                    std::uint64_t sequence_number);
  [[nodiscard]] Result<std::vector<table::Key>> KeysOfRows(
      const table::Version& version, const std::vector<std::uint32_t>& rows) const;
  void Publish(std::shared_ptr<const table::Version> version) noexcept;

  // close.cc
  Status CloseAlone();
  /// Notes in a manifest how much of the log is durable.
  Status NoteDurableBytes();
  /// Makes it the newest manifest, with the next number and how much of the log is durable.
  Status PublishNext(table::Manifest next);

  // replay.cc
  Status Replay();
  /// Puts up to the next delete. How many records that were.
  Result<std::size_t> ReplayPuts(std::span<const table::LoggedRecord> records);
  Result<std::size_t> ReplayDelete(const table::LoggedRecord& logged);
  Result<std::unique_ptr<Write>> ReadPut(const table::LoggedRecord& logged) const;
  Status BeginWriting(std::span<const table::LoggedRecord> replayed, bool all_durable);
  [[nodiscard]] MemIndexOptions IndexOptions() const;

  // train.cc
  /// Brings the index, which has the version's first rows, up to the last one, and makes it the
  /// table's. The leader's.
  Status UseModel(const IvfPqModel& model, std::shared_ptr<IvfPqMemIndex> index);

  const std::shared_ptr<storage::Directory> directory_;  // Shared with attempts to open it.
  const table::TableSchema schema_;
  const Metric metric_;
  const TableOptions options_;
  const std::int64_t process_;  // That opened it.
  RecoveryReport recovery_;
  std::uint64_t writer_epoch_ = 0;

  table::CommitQueue<Write> queue_;

  mutable std::mutex version_mutex_;
  std::shared_ptr<const table::Version> version_;
  mutable std::shared_mutex keys_mutex_;
  table::KeyIndex keys_;
  std::atomic<std::uint64_t> num_syncs_{0};

  // The leader's.
  std::unique_ptr<storage::DirectoryLock> lock_;
  table::Manifest manifest_;
  std::unique_ptr<wal::WalWriter> log_;
  bool refuses_ = false;  // Writes.
  Status refusal_;        // Why; OK where there was no memory to say it.

  // With SyncPolicy::kInterval. Last: it uses the rest.
  std::unique_ptr<table::SyncTimer> timer_;
};

}  // namespace forebay
