// CheckedTable: a table and a TableModel in lockstep. Each call goes to both, and throws when they
// disagree.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "support/faulty_directory.h"
#include "support/table_model.h"
#include "table/table_impl.h"

namespace forebay::testing {

/// What happens between the end of one table and the next Open.
enum class Reopen { kClosed, kDestroyed, kKilled, kPowerCut };

struct CheckedPut {
  std::vector<TableRow> rows = {};
  std::vector<std::size_t> bad = {};  ///< Rows whose vectors become bad, ascending.
  bool sliced = false;                ///< Arrays have offsets.
  bool reordered = false;             ///< Columns come in another order.
};

struct CheckedSearch {
  std::vector<std::vector<float>> queries = {};
  TableFilter filter = {};
  bool has_filter = false;
  bool all_columns = false;
  TableSearchOptions options = {};
};

class CheckedTable {
 public:
  CheckedTable(const TableKind& kind, std::optional<IvfPqModel> model, OnBadVectors on_bad_vectors);

  void Put(const CheckedPut& put);
  void Delete(std::span<const std::uint64_t> keys);
  void Delete(const TableFilter& filter);
  void Train(const TrainOptions& options);
  void Flush();
  void Merge();
  void Reopen(Reopen how);
  /// Another writer is refused; a reader sees the same.
  void OpenBeside() const;

  /// Exact where the options leave no room, and else as good as they promise.
  void Search(const CheckedSearch& search) const;
  void Get(const std::vector<std::uint64_t>& keys) const;
  void Take(const std::vector<std::uint64_t>& row_ids) const;
  void ScanAndCount(const TableFilter& filter) const;
  /// Begins a scan that Unpin reads, whatever came between.
  void Pin();
  void Unpin();
  /// Everything, as DeepDifference.
  void CheckAll() const;

  [[nodiscard]] const TableModel& model() const { return model_; }
  [[nodiscard]] const TableKind& kind() const { return model_.kind(); }

 private:
  [[nodiscard]] TableOptions Options() const;
  [[nodiscard]] std::unique_ptr<storage::Directory> Directory() const;
  void CheckHits(const CheckedSearch& search, std::size_t query,
                 std::span<const std::pair<float, std::uint64_t>> hits) const;

  /// A scan that was begun, and what it must give.
  struct Pinned {
    std::shared_ptr<arrow::RecordBatchReader> reader;
    StoredRows expected;
  };

  std::shared_ptr<FaultyDirectory> directory_ = std::make_shared<FaultyDirectory>();
  OnBadVectors on_bad_vectors_;
  TableModel model_;
  std::uint64_t num_flushed_ = 0;  // Rows, dead ones too.
  std::optional<Table> table_;
  std::vector<Pinned> pinned_;
};

}  // namespace forebay::testing
