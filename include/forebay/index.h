// IvfPqMemIndex: an in-memory IVF-PQ index that is searched while it is written.
//
// Thread safety: one writer, any number of readers. Insert may run at the same time as every const
// method; a second Insert at the same time is refused with kFailedPrecondition. Readers take no
// locks and wait for nobody. Moving or destroying an index while it is in use is an error.
// An index made by Open is read only.
//
// Invariants:
//   1. A reader sees all of an Insert or nothing of it; what it sees only grows.
//   2. Indexed rows have dense 32-bit ordinals in the order of their insertion. A snapshot is a
//      count n: it holds exactly the ordinals below n.
//   3. A row position is indexed at most once: the first one wins, later ones are skipped and
//      counted, so replaying an insert changes nothing.
//   4. An Insert that fails has changed nothing.
//   5. Results depend on the rows and the options only: ids and distances are bit-equal on every
//      CPU and for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "forebay/model.h"
#include "forebay/search.h"
#include "forebay/status.h"

namespace forebay {

/// What Insert does with a bad vector: null, NaN, infinite, with a squared norm of kMaxSquaredNorm
/// or more, or zero under cosine.
enum class OnBadVectors : std::uint8_t {
  kError,  ///< Insert nothing and say which row is bad.
  kDrop,   ///< Leave those rows out and count them.
  kFill,   ///< Index fill_value in every dimension instead.
};

/// The rows of one insert that are about to be indexed: neither skipped nor dropped. Borrowed.
struct AcceptedRows {
  std::uint32_t first_ordinal = 0;  ///< Row i gets the ordinal first_ordinal + i.
  std::size_t dim = 0;
  /// As they came, `dim` floats each; the fill vector where that is indexed instead.
  std::span<const float* const> vectors;
  std::span<const std::uint64_t> row_positions;
};

struct MemIndexOptions {
  /// Rows of each partition's primary storage, 1 to 2^32 - 1. What comes after it is overflow, in
  /// the same layout and as fast, so this limits nothing. Memory is taken in blocks of 64 rows, as
  /// rows come.
  std::size_t capacity = 64;
  OnBadVectors on_bad_vectors = OnBadVectors::kError;
  float fill_value = 0.0F;  ///< With kFill; it must itself make a good vector.
  std::int32_t field_id = 0;
  std::string column_name = "vector";
  /// Called by each Insert with rows to add, when nothing else can fail and before a search can see
  /// them: raw vectors that are stored here by ordinal are there for every row that a search finds.
  /// One call at a time, from the inserting thread. A Status that is not OK, or std::bad_alloc,
  /// fails the Insert; nothing is indexed then, and the same ordinals come again. Throws nothing
  /// else.
  std::function<Status(const AcceptedRows&)> before_publish = nullptr;
};

/// Rows to insert. Everything is borrowed for the call.
struct VectorBatch {
  VectorView vectors;
  /// Row i has position first_row_position + i, unless row_positions is given.
  std::uint64_t first_row_position = 0;
  /// Empty, or one position for each row.
  std::span<const std::uint64_t> row_positions = {};
  /// Arrow validity bitmap (least significant bit first; 0 = null), or nullptr: no row is null.
  const std::uint8_t* validity = nullptr;
  std::size_t validity_offset = 0;  ///< In bits.
};

struct InsertReport {
  /// The new rows have the ordinals first_ordinal .. first_ordinal + num_inserted - 1.
  std::uint32_t first_ordinal = 0;
  std::size_t num_inserted = 0;
  std::size_t num_skipped = 0;  ///< Their positions were indexed already.
  std::size_t num_dropped = 0;  ///< Bad vectors, with OnBadVectors::kDrop.
  std::size_t num_filled = 0;   ///< Bad vectors, with OnBadVectors::kFill.
};

/// The rows of one partition, in the order of their insertion.
struct PartitionEntries {
  std::vector<std::uint64_t> row_positions;
  std::vector<std::uint8_t> codes;  ///< [row_positions.size()][code_len], row-major.
};

/// Bytes allocated, by purpose. Those that an opened index stands on are not among them.
struct MemoryUsage {
  std::size_t codes = 0;          ///< Of the blocks: codes, with the unused lanes.
  std::size_t ordinals = 0;       ///< Of the blocks.
  std::size_t vector_terms = 0;   ///< Of the blocks, with residual models.
  std::size_t row_positions = 0;  ///< Ordinal to position, and which positions are stored.
  std::size_t partitions = 0;     ///< Their sizes, and where their blocks are.

  [[nodiscard]] std::size_t total() const {
    return codes + ordinals + vector_terms + row_positions + partitions;
  }
};

class IvfPqMemIndex {
 public:
  /// An empty index. kInvalidArgument for capacity 0 or a fill_value that makes a bad vector;
  /// kUnsupported when the CPU lacks AVX2 or FMA.
  static Result<IvfPqMemIndex> Create(IvfPqModel model, MemIndexOptions options = {});

  /// A read-only index that stands on bytes which Serialize wrote (docs/format.md), a mapped file
  /// say: codes, ordinals and positions are used where they lie, and answers are those of the index
  /// that was written, bit for bit. Insert is refused with kFailedPrecondition.
  /// `bytes` begin at a multiple of 64 and do not change while the index is there, which holds
  /// keep_alive until then (nullptr: the caller sees to that). `model`, if given, is the one of the
  /// index that was written; else the bytes must have it. Of the options on_bad_vectors and
  /// fill_value count, for re-ranking.
  /// Whatever the bytes are, an index that opens can be searched: all is checked but the blocks'
  /// checksum, for which see CheckBlocks, at the cost of a pass over ordinals and vector terms.
  /// kCorruption says what is truncated or altered; kUnsupported for bytes of a newer version, or
  /// when the CPU lacks AVX2 or FMA; kInvalidArgument for other alignment, another model, no model
  /// at all, or options that Create refuses.
  static Result<IvfPqMemIndex> Open(std::span<const std::byte> bytes,
                                    std::shared_ptr<const void> keep_alive,
                                    std::optional<IvfPqModel> model = std::nullopt,
                                    MemIndexOptions options = {});

  /// Whether the blocks (codes, vector terms and ordinals) are as they were written: a pass over
  /// all bytes. kCorruption if not, or if the bytes are no index; they may lie anywhere.
  static Status CheckBlocks(std::span<const std::byte> bytes);

  IvfPqMemIndex(IvfPqMemIndex&&) noexcept;
  IvfPqMemIndex& operator=(IvfPqMemIndex&&) noexcept;
  ~IvfPqMemIndex();

  /// Indexes the rows; they are visible to every search that starts after this returns.
  /// kInvalidArgument for another dimension, a position that the batch has twice, or (kError) a
  /// bad vector; kCapacityExceeded beyond 2^32 - 1 rows; kFailedPrecondition while another Insert
  /// runs.
  Result<InsertReport> Insert(VectorView vectors, std::uint64_t first_row_position);
  Result<InsertReport> Insert(const VectorBatch& batch);
  /// The same for many batches at once: all become visible together, or none. With several
  /// threads the rows are assigned and encoded in parallel.
  Result<InsertReport> InsertBatches(std::span<const VectorBatch> batches,
                                     std::size_t num_threads = 1);

  /// The nearest rows for each query. kInvalidArgument for another dimension, a bad query (NaN,
  /// infinite, too long, zero under cosine), a refine_factor without raw_vectors, or NaN in the
  /// range.
  [[nodiscard]] Result<SearchResult> Search(VectorView queries,
                                            const SearchOptions& options = {}) const;

  /// The visible rows as bytes for Open, from the first to the last, in pieces of at most 256 KiB
  /// that `sink` gets one after the other. With with_model the model is among them. Insert may run
  /// meanwhile: what it adds is left out. The first Status of `sink` that is not OK ends it and is
  /// returned.
  [[nodiscard]] Status Serialize(const std::function<Status(std::span<const std::byte>)>& sink,
                                 bool with_model) const;

  /// Visible rows.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] const IvfPqModel& model() const;
  [[nodiscard]] const MemIndexOptions& options() const;
  /// Whether it was made by Open.
  [[nodiscard]] bool read_only() const;
  [[nodiscard]] std::size_t num_partitions() const { return model().ivf().num_partitions(); }
  /// Visible rows of one partition; 0 when there is no such partition.
  [[nodiscard]] std::size_t partition_size(std::size_t partition) const;
  /// The same of all partitions, of one snapshot.
  [[nodiscard]] std::vector<std::size_t> partition_sizes() const;
  /// The visible rows of one partition; none when there is no such partition.
  [[nodiscard]] PartitionEntries partition(std::size_t partition) const;
  /// The visible rows of all partitions, of one snapshot.
  [[nodiscard]] std::vector<PartitionEntries> partitions() const;
  /// The row position of a visible ordinal.
  [[nodiscard]] std::uint64_t row_position(std::uint32_t ordinal) const;
  [[nodiscard]] MemoryUsage memory_usage() const;

  class Impl;                                                // For src/ only,
  [[nodiscard]] Impl& impl() { return *impl_; }              // as
  [[nodiscard]] const Impl& impl() const { return *impl_; }  // these.

 private:
  explicit IvfPqMemIndex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The capacity for a MemTable of at most max_rows rows: 8 times an even share for each partition,
/// at most max_rows, at least 1 (Lance MemWAL's rule). 0 partitions count as 1.
std::size_t CapacityForMaxRows(std::size_t max_rows, std::size_t num_partitions);

}  // namespace forebay
