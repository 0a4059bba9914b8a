// Table: a directory of rows with vectors. What it acknowledges is durable, and found at once.
//
// Thread safety: all methods may be called from any thread at any time; Puts that come together
// share one sync, and Puts go on while Train trains. Moving or destroying a table while it is in
// use is an error.
//
// Invariants:
//   1. A batch is written as a whole or not at all. When Put or Delete returns OK it is durable as
//      far as the sync policy says, and every search that starts after sees it.
//   2. A search sees one snapshot: all of the batches before it, and nothing of those after.
//   3. A row that was replaced or deleted is masked before the k nearest are taken.
//   4. Each row has a `_rowid` (u64) that no other row of the table ever had or will have.
//   5. After a write or sync has failed, every write is refused until the table is opened again;
//      reads go on. What was acknowledged is there, and what the failed call wrote may be.
//   6. One process at a time has a table open for writing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "forebay/index.h"
#include "forebay/model.h"
#include "forebay/status.h"

namespace arrow {
class Array;
class RecordBatch;
class RecordBatchReader;
class Schema;
namespace compute {
class Expression;
}  // namespace compute
}  // namespace arrow

namespace forebay {

/// When a batch that was acknowledged is durable.
enum class SyncPolicy : std::uint8_t {
  kAlways,    ///< Before it is acknowledged.
  kInterval,  ///< sync_interval later at the latest; a power cut can take what came since.
  kNone,      ///< When the system sees fit; a crash of the process alone takes nothing.
};

/// What a table is created with, for its life.
struct TableDefinition {
  /// Any Arrow schema whose columns have different names, none of them a result's (`_rowid`,
  /// `_distance`, `query_index`). Dictionaries have indices of 32 or 64 bits, and values
  /// without dictionaries; batches that are put may have narrower indices.
  std::shared_ptr<arrow::Schema> schema;
  /// A fixed_size_list of float16, float32 or float64.
  std::string vector_column;
  /// int64, uint64 or utf8: a row replaces the one with the same key. None: rows only add up.
  std::optional<std::string> primary_key = std::nullopt;
  Metric metric = Metric::kL2;
  /// Of the same metric and dimension. None: searches compare every row, until Train.
  std::optional<IvfPqModel> model = std::nullopt;
};

/// How a table is opened.
struct TableOptions {
  bool read_only = false;  ///< What is there now; needs no lock, and changes nothing.
  SyncPolicy sync = SyncPolicy::kAlways;
  std::chrono::milliseconds sync_interval{100};  ///< With kInterval; at least 1.
  /// A batch that would take the MemTable beyond either waits until it has been flushed; one that
  /// has more by itself is refused with kCapacityExceeded.
  std::size_t max_memtable_rows = 4'000'000;  ///< At most 2^31 - 1.
  std::size_t max_memtable_bytes = std::size_t{4} << 30U;
  /// Close flushes the MemTable, so that the next opening has little to replay.
  bool flush_on_close = false;
  /// Generations of about the same size are merged in the background when there are so many, 2
  /// at least; 0: never, but by Merge.
  std::size_t merge_fan_in = 8;
  /// The background merges nothing whose files have more bytes together, so that merging takes no
  /// more disk than that, and writes no more than so many bytes of vectors a second (0: as fast as
  /// it can).
  std::uint64_t max_merge_bytes = std::uint64_t{256} << 30U;
  std::uint64_t merge_bytes_per_second = 0;
  OnBadVectors on_bad_vectors = OnBadVectors::kError;
  /// With kFill: such rows are stored with a vector of this value in every dimension.
  float fill_value = 0.0F;
  std::size_t num_threads = 1;  ///< That encode, at least 1.
  /// Compares the checksums of the generations' files, which reads all of them, and looks into what
  /// checksums cover: that strings are UTF-8, that offsets are in range. Without, an opening takes
  /// milliseconds, and Verify finds what is damaged. (Manifests, models, logs, masks and the sizes
  /// of files are checked always.)
  bool verify_on_open = true;
};

/// What opening a table found in its log.
struct RecoveryReport {
  std::uint64_t num_batches = 0;
  std::uint64_t num_rows = 0;
  std::uint64_t num_deaths = 0;  ///< Rows that were replaced or deleted.
  std::uint64_t torn_bytes = 0;  ///< Never acknowledged, cut off.
};

struct PutReport {
  std::uint64_t sequence_number = 0;
  std::uint64_t first_row_id = 0;  ///< The rows have this and the following ones.
  std::size_t num_rows = 0;        ///< That were stored.
  std::size_t num_replaced = 0;    ///< Older rows of the same keys.
  std::size_t num_dropped = 0;     ///< Bad vectors, with OnBadVectors::kDrop.
  std::size_t num_filled = 0;      ///< Bad vectors, with OnBadVectors::kFill.
};

struct TableSearchOptions {
  std::size_t k = 10;
  std::size_t nprobes = 20;        ///< As SearchOptions; without a model, every row is compared.
  std::size_t refine_factor = 10;  ///< At least 1: distances are always exact.
  /// Only rows for which this is true; borrowed. nullptr: all.
  const arrow::compute::Expression* filter = nullptr;
  /// Columns of the result, besides `query_index`, `_distance` and the primary key (where there is
  /// none, `_rowid`). `_rowid` may be asked for as well.
  std::vector<std::string> columns = {};
  std::size_t num_threads = 1;
};

/// What a search did in one source of rows. Those with an index of one model are searched as one.
struct SourceStats {
  std::string source;                 ///< "memtable", or "generation 1, generation 2, memtable".
  std::size_t num_rows = 0;           ///< Visible to the search, dead ones and all.
  std::size_t num_dead = 0;           ///< Of these.
  std::size_t probed_partitions = 0;  ///< Of all queries together, as the following.
  std::size_t scanned_rows = 0;       ///< Eligible rows that were looked at.
  std::size_t survivors = 0;          ///< That the bound did not rule out.
  std::size_t reranked_rows = 0;      ///< Exact distances that were computed.
  double seconds = 0;
};

struct TableSearchResult {
  /// `query_index` (u32), `_distance` (f32), the primary key or `_rowid` (u64), and the columns
  /// asked for; the hits of each query together, nearest first.
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<SourceStats> sources;
};

/// One generation: rows that were flushed, in files that never change.
struct GenerationStats {
  std::uint64_t number = 0;
  std::uint64_t num_rows = 0;  ///< Live ones.
  std::uint64_t num_dead = 0;
  std::uint64_t row_bytes = 0;  ///< Of its files, by kind.
  std::uint64_t index_bytes = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t mask_bytes = 0;
  std::optional<std::uint64_t> model_fingerprint = std::nullopt;  ///< None: it has no index.
  /// The mean squared distance between a row (normalised for cosine) and what its code stands for,
  /// by a sample, from when the generation was written.
  std::optional<double> quantization_error = std::nullopt;
  /// How many times that is what it was for the rows that the model was trained on (or, of a model
  /// that was given, for the first that were flushed). Far above 1, rows have drifted away from
  /// what it was made for: Train, then Merge, makes codes that fit them. None: it is an older
  /// model's.
  std::optional<double> drift = std::nullopt;
};

struct TableStats {
  std::uint64_t num_rows = 0;  ///< Live ones.
  std::uint64_t num_dead = 0;
  std::uint64_t sequence_number = 0;  ///< Of the last batch.
  std::uint64_t writer_epoch = 0;
  std::uint64_t memtable_bytes = 0;  ///< Rows and index, of the one that is being flushed, too.
  std::uint64_t wal_bytes = 0;
  std::uint64_t num_syncs = 0;  ///< Of the log, since it was opened, as the following.
  std::uint64_t num_flushes = 0;
  std::uint64_t num_failed_merges = 0;  ///< In the background; the next flush tries again.
  double waited_seconds = 0;            ///< Of puts, for a flush.
  std::vector<GenerationStats> generations = {};  ///< Oldest first.
};

/// What Verify looked at.
struct VerifyReport {
  std::uint64_t num_rows = 0;   ///< Live ones, each found by an exhaustive search.
  std::uint64_t num_codes = 0;  ///< Equal to the encoding of their raw vectors.
  std::uint64_t num_keys = 0;   ///< All different.
  std::uint64_t num_log_records =
      0;  ///< Their checksums are right, as those of manifest and model.
};

class Table {
 public:
  /// Makes the directory, or takes one without a table, and opens the table for writing.
  /// kInvalidArgument for a definition that is none; kFailedPrecondition when there is a table.
  static Result<Table> Create(const std::filesystem::path& path, const TableDefinition& definition,
                              const TableOptions& options = {});

  /// Replays the log. kFailedPrecondition when there is no table, or another process has it open
  /// for writing (the message names it); kCorruption when acknowledged data is damaged.
  static Result<Table> Open(const std::filesystem::path& path, const TableOptions& options = {});

  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;
  ~Table();  ///< As Close, with its Status lost.

  /// Adds rows; with a primary key, each replaces the older row of its key, and of several with one
  /// key the last counts. kInvalidArgument, nothing written, for other columns, a null key, or
  /// (kError) a bad vector.
  Result<PutReport> Put(const arrow::RecordBatch& batch);

  /// Deletes the rows with these keys; an array of the key's type. How many there were.
  Result<std::uint64_t> Delete(const arrow::Array& keys);
  /// Deletes the rows for which the filter is true.
  Result<std::uint64_t> Delete(const arrow::compute::Expression& filter);

  /// The k nearest live rows for each query.
  [[nodiscard]] Result<TableSearchResult> Search(VectorView queries,
                                                 const TableSearchOptions& options = {}) const;

  /// The live rows with these keys (an array of the key's type), in their order, those that are not
  /// there left out. Empty `columns`: all but `_rowid`.
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatch>> Get(
      const arrow::Array& keys, const std::vector<std::string>& columns = {}) const;
  /// The same by `_rowid`.
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatch>> Take(
      std::span<const std::uint64_t> row_ids, const std::vector<std::string>& columns = {}) const;

  /// The live rows for which the filter is true (nullptr: all), in the order of `_rowid`, of one
  /// snapshot. Empty `columns`: all but `_rowid`. The reader may outlive the table.
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatchReader>> Scan(
      const arrow::compute::Expression* filter = nullptr,
      const std::vector<std::string>& columns = {}) const;
  [[nodiscard]] Result<std::uint64_t> Count(
      const arrow::compute::Expression* filter = nullptr) const;

  /// Makes a generation of what is in the MemTable, and returns when it is there. That happens by
  /// itself when the MemTable is full; puts go on meanwhile. After a failure (a full disk) nothing
  /// is lost; the next Flush, or put that finds no room, tries again.
  Status Flush();

  /// Makes one generation of all, without their dead rows, and returns when it is there. Reads and
  /// writes go on. Codes are copied where all have the table's model, else their rows are encoded
  /// anew. After a failure all is as before.
  Status Merge();

  /// Of a table that was opened read only: shows what is there now. Reads that go on keep their
  /// snapshot. As Open, at its cost; after a failure all is as before.
  Status Refresh();

  /// Trains a model on the live rows and uses it from now on, durably, for the MemTable
  /// (generations keep theirs); the metric is the table's, whatever `options` says. As
  /// forebay::Train; kInvalidArgument when there are too few rows.
  Status Train(const TrainOptions& options);

  /// Reads the files again and checks them, and the rows, as VerifyReport says. kCorruption with
  /// the first fault. It takes as long as putting all rows anew. Writes may go on meanwhile; what
  /// is checked of the rows is one snapshot.
  [[nodiscard]] Result<VerifyReport> Verify() const;

  [[nodiscard]] const std::shared_ptr<arrow::Schema>& schema() const;
  [[nodiscard]] const std::string& vector_column() const;
  [[nodiscard]] std::size_t dim() const;
  [[nodiscard]] std::optional<std::string> primary_key() const;
  [[nodiscard]] Metric metric() const;
  /// None before Train, and once the table is closed.
  [[nodiscard]] std::optional<IvfPqModel> model() const;
  [[nodiscard]] const RecoveryReport& recovery() const;
  [[nodiscard]] Result<TableStats> stats() const;

  /// Syncs what is not durable yet, ends what goes on in the background, and gives up the lock.
  /// Every later call but another Close fails with kFailedPrecondition. Nothing in a forked child,
  /// which may read the table but not write.
  Status Close();

  class Impl;  // For src/ only.

 private:
  friend class Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace forebay
