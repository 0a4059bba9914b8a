// Insert: choose the rows, encode them, make room, show them to before_publish, write, publish.
// Everything that can fail comes before the first write.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "base/no_throw.h"
#include "base/workers.h"
#include "index/mem_index_impl.h"
#include "model/encoder.h"
#include "model/vector_check.h"

namespace forebay {
namespace {

using index::PositionSet;
using model::Defect;

constexpr std::uint64_t kMaxRows = std::numeric_limits<std::uint32_t>::max();

/// Holds the right to write, if it was free.
class WriterTurn {
 public:
  explicit WriterTurn(std::atomic_flag* active)
      : active_(active), taken_(!active->test_and_set(std::memory_order_acquire)) {}
  ~WriterTurn() {
    if (taken_) {
      active_->clear(std::memory_order_release);
    }
  }
  WriterTurn(const WriterTurn&) = delete;
  WriterTurn& operator=(const WriterTurn&) = delete;

  [[nodiscard]] bool taken() const { return taken_; }

 private:
  std::atomic_flag* active_;
  bool taken_;
};

/// The rows that an insert will add.
struct ChosenRows {
  std::vector<const float*> vectors;  // As they came, or the fill vector.
  std::vector<std::uint64_t> positions;
};

/// What EncodeRows made of them.
struct CodedRows {
  std::vector<std::uint32_t> partitions;
  std::vector<std::uint8_t> codes;
  std::vector<float> terms;
};

Status CheckShape(const VectorBatch& batch, std::size_t dim) {
  const VectorView& vectors = batch.vectors;
  if (vectors.num_rows > 0 && vectors.dim != dim) {
    return Status::InvalidArgument(
        fmt::format("vectors must have the model's dimension {}; got [{}][{}]", dim,
                    vectors.num_rows, vectors.dim));
  }
  if (!batch.row_positions.empty() && batch.row_positions.size() != vectors.num_rows) {
    return Status::InvalidArgument(
        fmt::format("row_positions must have one position for each of {} rows; got {}",
                    vectors.num_rows, batch.row_positions.size()));
  }
  if (batch.row_positions.empty() && vectors.num_rows > 0 &&
      batch.first_row_position >
          std::numeric_limits<std::uint64_t>::max() - (vectors.num_rows - 1)) {
    return Status::InvalidArgument(
        fmt::format("row positions must fit 64 bits; got {} rows from {} on", vectors.num_rows,
                    batch.first_row_position));
  }
  return Status::Ok();
}

std::uint64_t PositionOf(const VectorBatch& batch, std::size_t i) {
  return batch.row_positions.empty() ? batch.first_row_position + i : batch.row_positions[i];
}

/// The positions of a batch need no more pages of `set` than this.
std::size_t MaxPages(const VectorBatch& batch, const PositionSet& set) {
  return batch.row_positions.empty() ? batch.vectors.num_rows / PositionSet::kPageSize + 2
                                     : set.MaxPages(batch.row_positions);
}

bool IsNull(const VectorBatch& batch, std::size_t i) {
  const std::size_t bit = batch.validity_offset + i;
  return batch.validity != nullptr && (batch.validity[bit / 8] >> (bit % 8) & 1U) == 0;
}

class InsertJob {
 public:
  InsertJob(IvfPqMemIndex::Impl* index, std::span<const VectorBatch> batches)
      : index_(*index), batches_(batches) {
    if (index_.options.on_bad_vectors == OnBadVectors::kFill) {
      fill_.assign(index_.model.dim(), index_.options.fill_value);
    }
  }

  Result<InsertReport> Run(std::size_t num_threads) {
    if (Status status = Choose(); !status.ok()) {
      return status;
    }
    report_.first_ordinal = index_.num_visible.LoadByWriter();
    report_.num_inserted = rows_.positions.size();
    if (report_.num_inserted > kMaxRows - report_.first_ordinal) {
      return Status::CapacityExceeded(
          fmt::format("an index holds at most {} rows; it has {}, and {} more came; flush it first",
                      kMaxRows, report_.first_ordinal, report_.num_inserted));
    }
    Encode(num_threads);
    GroupByPartition();
    MakeRoom();
    if (Status status = Show(); !status.ok()) {
      return status;
    }
    Write();
    return report_;
  }

 private:
  Status Choose() {
    std::size_t num_rows = 0;
    for (const VectorBatch& batch : batches_) {
      if (Status status = CheckShape(batch, index_.model.dim()); !status.ok()) {
        return InBatch(batch, status);
      }
      num_rows += batch.vectors.num_rows;
    }
    rows_.vectors.reserve(num_rows);
    rows_.positions.reserve(num_rows);
    // One batch without positions of its own has none twice.
    const bool may_repeat = batches_.size() != 1 || !batches_[0].row_positions.empty();
    PositionSet in_this_call;
    for (const VectorBatch& batch : batches_) {
      in_this_call.Reserve(may_repeat ? MaxPages(batch, in_this_call) : 0);
      for (std::size_t i = 0; i < batch.vectors.num_rows; ++i) {
        const std::uint64_t position = PositionOf(batch, i);
        if (may_repeat && !in_this_call.Insert(position)) {
          return InBatch(batch, Status::InvalidArgument(fmt::format(
                                    "row position {} comes twice in one insert; give each row its "
                                    "own",
                                    position)));
        }
        if (Status status = ChooseRow(batch, i, position); !status.ok()) {
          return InBatch(batch, status);
        }
      }
    }
    return Status::Ok();
  }

  /// Says in which of several batches it happened.
  [[nodiscard]] Status InBatch(const VectorBatch& batch, const Status& status) const {
    if (batches_.size() == 1) {
      return status;
    }
    return {status.code(), fmt::format("batch {}: {}", &batch - batches_.data(), status.message())};
  }

  Status ChooseRow(const VectorBatch& batch, std::size_t i, std::uint64_t position) {
    if (index_.stored_positions.Contains(position)) {
      ++report_.num_skipped;
      return Status::Ok();
    }
    const float* vector = batch.vectors.row(i);
    const bool null = IsNull(batch, i);
    const Defect defect =
        null ? Defect::kNone : model::CheckVector(index_.model.metric(), vector, batch.vectors.dim);
    if (null || defect != Defect::kNone) {
      switch (index_.options.on_bad_vectors) {
        case OnBadVectors::kError:
          return Status::InvalidArgument(fmt::format(
              "the vector of row {} (position {}) {}; nothing was inserted (on_bad_vectors can "
              "drop or fill such rows)",
              i, position, null ? "is null" : model::DefectText(defect)));
        case OnBadVectors::kDrop:
          ++report_.num_dropped;
          return Status::Ok();
        case OnBadVectors::kFill:
          ++report_.num_filled;
          vector = fill_.data();
      }
    }
    rows_.vectors.push_back(vector);
    rows_.positions.push_back(position);
    return Status::Ok();
  }

  void Encode(std::size_t num_threads) {
    const std::size_t num_rows = rows_.vectors.size();
    const std::size_t code_len = index_.layout().code_len();
    coded_.partitions.resize(num_rows);
    coded_.codes.resize(num_rows * code_len);
    coded_.terms.resize(index_.model.residual() ? num_rows : 0);
    Workers workers(std::min(num_threads, num_rows / model::kEncodeRows + 1));
    workers.ForRanges(num_rows, model::kEncodeRows, [&](std::size_t begin, std::size_t end) {
      const std::size_t dim = index_.model.dim();
      std::vector<float> prepared((end - begin) * dim);
      for (std::size_t i = begin; i < end; ++i) {
        model::Prepare(index_.model.metric(), rows_.vectors[i], dim,
                       prepared.data() + (i - begin) * dim);
      }
      model::EncodeRows(index_.model.data(), prepared.data(), end - begin,
                        {coded_.partitions.data() + begin, coded_.codes.data() + begin * code_len,
                         coded_.terms.data() + (coded_.terms.empty() ? 0 : begin)});
    });
  }

  /// Puts the rows of each partition together, in their own order.
  void GroupByPartition() {
    const std::size_t num_rows = coded_.partitions.size();
    const std::size_t code_len = index_.layout().code_len();
    ordinals_.resize(num_rows);
    if (std::is_sorted(coded_.partitions.begin(), coded_.partitions.end())) {  // One row, say.
      grouped_ = std::move(coded_);
      std::iota(ordinals_.begin(), ordinals_.end(), report_.first_ordinal);
      return;
    }
    std::vector<std::uint64_t> order(num_rows);
    for (std::size_t i = 0; i < num_rows; ++i) {
      order[i] = std::uint64_t{coded_.partitions[i]} << 32U | i;
    }
    std::sort(order.begin(), order.end());
    grouped_.partitions.resize(num_rows);
    grouped_.codes.resize(coded_.codes.size());
    grouped_.terms.resize(coded_.terms.size());
    for (std::size_t to = 0; to < num_rows; ++to) {
      const auto from = static_cast<std::uint32_t>(order[to]);
      grouped_.partitions[to] = coded_.partitions[from];
      std::copy_n(coded_.codes.data() + from * code_len, code_len,
                  grouped_.codes.data() + to * code_len);
      if (!coded_.terms.empty()) {
        grouped_.terms[to] = coded_.terms[from];
      }
      ordinals_[to] = report_.first_ordinal + from;
    }
  }

  /// Calls body(partition, rows) for each partition that gets rows.
  template <typename Body>
  void ForEachPartition(const Body& body) {
    const std::size_t num_rows = ordinals_.size();
    const std::size_t code_len = index_.layout().code_len();
    for (std::size_t begin = 0, end = 0; begin < num_rows; begin = end) {
      const std::uint32_t p = grouped_.partitions[begin];
      while (end < num_rows && grouped_.partitions[end] == p) {
        ++end;
      }
      const float* terms = grouped_.terms.empty() ? nullptr : grouped_.terms.data() + begin;
      body(&index_.partitions[p], index::CodeRows{grouped_.codes.data() + begin * code_len,
                                                  ordinals_.data() + begin, terms, end - begin});
    }
  }

  void MakeRoom() {
    ForEachPartition([](index::Partition* partition, const index::CodeRows& rows) {
      partition->Reserve(rows.num_rows);
    });
    index_.row_positions.Reserve(report_.first_ordinal, rows_.positions);
    index_.stored_positions.Reserve(index_.stored_positions.MaxPages(rows_.positions));
  }

  Status Show() const {
    if (!index_.options.before_publish || rows_.vectors.empty()) {
      return Status::Ok();
    }
    return index_.options.before_publish(
        {report_.first_ordinal, index_.model.dim(), rows_.vectors, rows_.positions});
  }

  void Write() noexcept {
    ForEachPartition(
        [](index::Partition* partition, const index::CodeRows& rows) { partition->Append(rows); });
    index_.row_positions.Append(report_.first_ordinal, rows_.positions);
    std::uint64_t greatest = index_.greatest_position.LoadByWriter();
    for (const std::uint64_t position : rows_.positions) {
      index_.stored_positions.Insert(position);
      greatest = std::max(greatest, position);
    }
    index_.greatest_position.StoreRelease(greatest);
    index_.num_visible.StoreRelease(report_.first_ordinal +
                                    static_cast<std::uint32_t>(report_.num_inserted));
  }

  IvfPqMemIndex::Impl& index_;
  const std::span<const VectorBatch> batches_;
  InsertReport report_;
  std::vector<float> fill_;  // With OnBadVectors::kFill.
  ChosenRows rows_;
  CodedRows coded_;    // In the order of the rows.
  CodedRows grouped_;  // Sorted by partition.
  std::vector<std::uint32_t> ordinals_;
};

}  // namespace

Result<InsertReport> IvfPqMemIndex::Impl::Insert(std::span<const VectorBatch> batches,
                                                 std::size_t num_threads) {
  if (read_only) {
    return Status::FailedPrecondition(
        "an index that was opened from stored bytes is read only; insert into a new one, and "
        "search "
        "both");
  }
  const WriterTurn turn(&writer_active);
  if (!turn.taken()) {
    return Status::FailedPrecondition(
        "another insert is running; an index has one writer at a time, so queue the inserts");
  }
  return NoThrow([&] { return InsertJob(this, batches).Run(num_threads); });
}

}  // namespace forebay
