// Table::Impl: the state of an open table. Each verb has a file of its own.
//
// Thread safety: as Table. Writers go through the queue, whose leader alone touches what is the
// leader's below; readers copy `version_` under a mutex that is held for no longer than that.
//
// Invariants:
//   1. `keys_` are those of the MemTable that is written to. They and `version_` change together,
//      under `keys_mutex_`: who holds it sees both of one batch.
//   2. Generations and logs of the manifest hold all rows that `version_` shows, each once: the
//      logs those of the MemTables. A death is in a log, or in the mask of its generation, or both.
//   3. A version is published when all that it shows is durable as far as the sync policy says.
//   4. What can fail because of a batch comes before the log is written: whatever is in a log can
//      be replayed. If anything fails after the first byte was written, the table takes no more
//      writes: nobody knows what is in the log.
//   5. Only the process that opened it writes: a forked child shares its lock, and the log's end.
#pragma once

#include <atomic>
#include <condition_variable>
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
#include "table/background_thread.h"
#include "table/commit_queue.h"
#include "table/filter_cache.h"
#include "table/generation.h"
#include "table/key_index.h"
#include "table/log_files.h"
#include "table/manifest.h"
#include "table/merge_policy.h"
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
    bool needs_room = false;  // The MemTable was full; nothing was written.

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
  Status Flush();
  Status Merge();
  Status Refresh();
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
  static Result<std::unique_ptr<Impl>> OpenLocked(
      const std::shared_ptr<storage::Directory>& directory,
      std::unique_ptr<storage::DirectoryLock> lock, const TableOptions& options);
  static Result<Table> ToTable(Result<std::unique_ptr<Impl>> impl);

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
      const std::function<Result<std::vector<table::RowPlace>>(const table::Version&)>& choose);
  /// The live row of a key; under keys_mutex_, or in the leader's turn.
  [[nodiscard]] std::optional<table::RowPlace> FindKey(const table::Version& version,
                                                       const table::Key& key) const;

  // search.cc
  [[nodiscard]] Result<table::Projection> ProjectHits(std::vector<std::string> columns) const;
  /// The nearest rows of each query. `filter` is bound, or nullptr.
  [[nodiscard]] Result<std::vector<std::vector<table::FoundRow>>> FindNearest(
      std::span<const std::shared_ptr<const table::Source>> sources, VectorView queries,
      const TableSearchOptions& options, const arrow::compute::Expression* filter,
      std::vector<SourceStats>* stats) const;
  /// The live rows for which the bound filter (nullptr: none) is true.
  [[nodiscard]] Result<table::RowSet> Eligible(const table::Source& source,
                                               const arrow::compute::Expression* filter) const;
  /// Adds those of some of the sources, which are searched as one.
  Status SearchGroup(std::span<const std::shared_ptr<const table::Source>> sources,
                     const std::vector<std::uint32_t>& group, VectorView queries,
                     const TableSearchOptions& options, const arrow::compute::Expression* filter,
                     std::vector<std::vector<table::FoundRow>>* found, SourceStats* stats) const;

  // verify.cc
  Status VerifyFilesOnce(const table::Version& version, VerifyReport* report) const;
  Status VerifyFiles(const table::Version& version, VerifyReport* report) const;
  Status VerifyKeys(const table::Version& version, VerifyReport* report) const;
  Status VerifySource(const std::shared_ptr<const table::Source>& of_version,
                      VerifyReport* report) const;

  // commit.cc: the leader's.
  static bool FitsGroup(std::span<Write* const> group, const Write& next);
  void CommitGroup(std::span<Write* const> group);
  Status CommitPuts(std::span<Write* const> group);
  /// The rows are alive, and ascend.
  Status CommitDeaths(const std::shared_ptr<const table::Version>& before,
                      const std::vector<table::RowPlace>& rows);
  /// Writes records to the log and syncs it, and runs the bodies, at the same time as far as that
  /// pays. If any of it fails, the table takes no more writes.
  Status LogWhile(std::span<const wal::WalRecord> records,
                  std::initializer_list<std::function<Status()>> bodies);
  Status SyncLog();
  /// Counts what is in the logs.
  void CountLogged(table::Version* version) const;
  /// What the timer does.
  void SyncNow();
  /// Refuses writes from now on. Returns `cause`.
  Status Poison(const Status& cause) noexcept;
  /// Why writes are refused, if they are.
  [[nodiscard]] Status CheckWritable() const;

  /// A version with more rows, which is not published yet, its MemTable, and the rows' keys.
  struct Appended {
    Appended(const table::Version& before, std::uint64_t num_batches);

    std::shared_ptr<table::Version> version;
    std::shared_ptr<table::Source> memtable;
    table::KeyIndex::Addition keys;
  };
  /// Puts the rows of a group behind those that are there.
  Status AddRows(std::span<Write* const> group, table::Rows* rows) const;
  /// Finds what the rows of a group replace, and makes room for their keys.
  Status AddKeys(const table::Version& before, std::span<Write* const> group, Appended* appended);
  /// Encodes the rows of a group into the MemTable's index, if there is one.
  Status Index(const table::Source& memtable, std::span<Write* const> group) const;
  void PublishAppended(Appended appended) noexcept;
  /// A version in which these rows are dead.
  static std::shared_ptr<table::Version> WithDeaths(const table::Version& before,
                                                    std::span<const table::RowPlace> rows,
                                                    std::uint64_t sequence_number);
  [[nodiscard]] Result<std::vector<table::Key>> KeysOfRows(
      const table::Version& version, std::span<const table::RowPlace> rows) const;
  /// Of those of these rows that are in the MemTable.
  [[nodiscard]] Result<std::vector<table::Key>> MemTableKeys(
      const table::Version& version, std::span<const table::RowPlace> rows) const;
  void Publish(std::shared_ptr<const table::Version> version) noexcept;

  // close.cc
  Status CloseAlone();
  /// Notes in a manifest how much of the log is durable.
  Status NoteDurableBytes();
  /// Makes it the newest manifest, with the next number and how much of the log is durable.
  Status PublishNext(table::Manifest next);

  // flush.cc
  /// Freezes the MemTable if it has no room for so much more, or waits until it has been flushed.
  Status MakeRoom(std::size_t num_rows, std::size_t num_bytes);
  /// Whether a MemTable may hold so much.
  [[nodiscard]] bool FitsMemTable(std::uint64_t num_rows, std::uint64_t num_bytes) const;
  /// A new MemTable and a new log; the old MemTable is flushed from now on. The leader's.
  Status Freeze();
  /// With a MemTable without rows: all deaths go into masks, and the logs before go. The leader's.
  Status MaskDeaths();
  /// Makes `next`, with another log, the newest manifest, and uses that log. The leader's.
  Status BeginNextLog(table::Manifest next);
  /// Begins to flush what is frozen, unless that goes on already. Throws std::bad_alloc: nothing
  /// was begun. The leader's.
  void StartFlush();
  void EndFlush(const Status& status);
  /// Whoever waits for a flush is told that the table is closed.
  void StopFlushing();
  /// Waits for the flush that goes on, if there is one. What became of the last one.
  Status WaitForFlush();
  /// What the background thread does.
  Status FlushFrozen();
  /// The frozen MemTable is this generation from now on. The leader's.
  Status InstallFlushed(table::NewGeneration generation);
  /// Writes masks of the generations that have deaths which their masks lack, and counts their
  /// bytes; their batches are durable then. The leader's.
  Status WriteMasks(table::Version* version, table::Manifest* next);
  /// After a failure, removes what there is of a generation's files, unless a manifest may name
  /// them: they would keep a full disk full.
  Status RemoveUnlessOk(std::uint64_t generation, Status status);
  /// Makes these the table's, with masks, and removes files that no reader opens any more. The
  /// leader's.
  Status InstallGenerations(std::shared_ptr<table::Version> after, table::Manifest next);
  /// Removes what the manifest named before and does not any more.
  void RemoveDropped(const table::Manifest& before) noexcept;
  /// Makes all that was logged durable. The leader's.
  Status SyncAll();
  /// The columns of a generation's rows.
  [[nodiscard]] Result<table::Projection> StoredColumns() const;
  /// Another log; the manifest that names it is `next`, which is not published yet.
  Result<std::unique_ptr<wal::WalWriter>> BeginLog(std::uint64_t first_sequence_number,
                                                   table::Manifest* next) const;

  // merge.cc
  /// Merges what the policy chooses, after the merges before it.
  void MergeInBackground() noexcept;
  /// What the merging thread does.
  void MergeChosen();
  /// With merge_mutex_.
  Status MergeGenerations(table::GenerationRange range, std::uint64_t bytes_per_second);
  /// `generation` takes the place of these; nullopt: none of their rows is alive. The leader's.
  Status InstallMerged(table::GenerationRange range,
                       std::optional<table::NewGeneration> generation);

  // replay.cc
  Status Replay();
  Status OpenGenerations(std::span<const table::GenerationFiles> files, table::Version* version);
  [[nodiscard]] Result<std::shared_ptr<const table::Source>> EmptyMemTable(
      const std::optional<IvfPqModel>& model, std::uint64_t first_row_id) const;
  /// Puts up to the next delete. How many records that were.
  Result<std::size_t> ReplayPuts(std::span<const table::LoggedRecord> records);
  Result<std::size_t> ReplayDelete(const table::LoggedRecord& logged);
  Result<std::unique_ptr<Write>> ReadPut(const table::LoggedRecord& logged) const;
  Status BeginWriting(std::span<const table::LoggedRecord> replayed, bool all_durable);
  [[nodiscard]] MemIndexOptions IndexOptions() const;

  // train.cc
  /// Brings the index, which has the first rows of the MemTable that begins with first_row_id, up
  /// to the last one, and makes it the table's. The leader's.
  Status UseModel(const IvfPqModel& model, double quantization_error,
                  std::shared_ptr<IvfPqMemIndex> index, std::uint64_t first_row_id);

  const std::shared_ptr<storage::Directory> directory_;  // Shared with attempts to open it.
  const table::TableSchema schema_;
  const Metric metric_;
  const TableOptions options_;
  const std::int64_t process_;  // That opened it.
  RecoveryReport recovery_;
  std::atomic<std::uint64_t> writer_epoch_{0};

  table::CommitQueue<Write> queue_;

  mutable std::mutex version_mutex_;
  std::shared_ptr<const table::Version> version_;
  mutable std::shared_mutex keys_mutex_;
  std::mutex refresh_mutex_;
  table::KeyIndex keys_;
  mutable table::FilterCache filters_;
  std::atomic<std::uint64_t> num_syncs_{0};
  std::atomic<std::uint64_t> num_flushes_{0};
  std::atomic<std::uint64_t> num_failed_merges_{0};  // In the background.
  std::atomic<std::int64_t> waited_ns_{0};           // Puts, for a flush.

  std::mutex close_mutex_;
  std::mutex flush_mutex_;  // Of the following two.
  bool flushing_ = false;
  Status flush_status_;  // Of the last one that ended.
  std::condition_variable flushed_;
  std::atomic<bool> stopping_{false};
  std::mutex merge_mutex_;  // Held by whoever merges.

  // The leader's.
  std::unique_ptr<storage::DirectoryLock> lock_;
  table::Manifest manifest_;
  std::unique_ptr<wal::WalWriter> log_;
  /// A MemTable that is not written to any more, and is the version's last but one.
  struct Frozen {
    Frozen(std::uint64_t last, std::string log) : sequence_number(last), next_log(std::move(log)) {}

    std::uint64_t sequence_number;  // Its last batch's.
    std::string next_log;           // The first that has nothing of it.
  };
  std::optional<Frozen> frozen_;
  bool refuses_ = false;  // Writes.
  Status refusal_;        // Why; OK where there was no memory to say it.

  // Last: they use the rest.
  std::unique_ptr<table::SyncTimer> timer_;           // With SyncPolicy::kInterval.
  std::unique_ptr<table::BackgroundThread> flusher_;  // Where it is written to,
  std::unique_ptr<table::BackgroundThread> merger_;   // and this as well.
};

}  // namespace forebay
