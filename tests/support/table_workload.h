// TableWorkload: the same calls of a table each time, and what it must hold after each of them. For
// tests that break a run somewhere.
//
// Thread safety: immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "support/table_model.h"
#include "table/table_impl.h"

namespace forebay::testing {

struct TableWorkloadOptions {
  TableKind kind = {};
  /// Given when the table is created; else the table is trained.
  bool has_model = false;
  SyncPolicy sync = SyncPolicy::kAlways;
  /// A batch has so many bytes that they are encoded while they are logged; that takes longer.
  bool large = false;
  /// A few batches of a few rows, all written by one process, so that files are small.
  bool small = false;
  /// Of a small one: all but a few rows are flushed, in two generations.
  bool flushed = false;
};

enum class TableCall {
  kCreate,
  kPut,
  kDeleteKeys,
  kDeleteWhere,
  kTrain,
  kFlush,
  kMerge,
  kClose,
  kOpen
};

class TableWorkload {
 public:
  explicit TableWorkload(const TableWorkloadOptions& options);

  /// Makes the calls in turn until one fails; how many did not. `*table` is what is left open.
  std::size_t Run(const std::shared_ptr<storage::Directory>& directory,
                  std::optional<Table>* table) const;
  /// The i-th call. Throws when it reports something wrong.
  Status Do(std::size_t i, const std::shared_ptr<storage::Directory>& directory,
            std::optional<Table>* table) const;
  /// Opens what a run left.
  [[nodiscard]] Result<Table> Open(const std::shared_ptr<storage::Directory>& directory) const;
  [[nodiscard]] Result<Table> Create(const std::shared_ptr<storage::Directory>& directory) const;

  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  [[nodiscard]] TableCall call(std::size_t i) const { return steps_[i].call; }
  /// What the table holds after the first `count` calls.
  [[nodiscard]] const TableModel& After(std::size_t count) const { return states_[count]; }
  [[nodiscard]] const TableKind& kind() const { return options_.kind; }
  [[nodiscard]] const TableWorkloadOptions& options() const { return options_; }

 private:
  struct Step {
    TableCall call = TableCall::kPut;
    std::shared_ptr<arrow::RecordBatch> batch = nullptr;  // Of kPut.
    std::vector<std::uint64_t> keys = {};                 // Of kDeleteKeys.
    TableFilter filter = {};                              // Of kDeleteWhere.
    std::uint64_t seed = 0;                               // Of kTrain.
    std::size_t count = 0;  // Of rows that the call replaces or deletes.
  };

  void AddAll();
  void AddSmall();
  void AddSmallFlushed();
  void Add(Step step);
  /// Rows with keys below `num_keys`, some of them several times.
  void AddPut(std::size_t num_rows, std::uint64_t num_keys);
  void AddDelete(std::vector<std::uint64_t> keys);
  void AddDelete(const TableFilter& filter);
  Status DoPut(const Step& step, const TableModel& before, Table* table) const;

  const TableWorkloadOptions options_;
  const TableDefinition definition_;
  Rng random_{1};
  std::vector<Step> steps_;
  std::vector<TableModel> states_;  // One more than steps.
};

}  // namespace forebay::testing
