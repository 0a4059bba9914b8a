// The ledger of a process that writes to a table: which calls it began, and which were
// acknowledged. It goes through a pipe to a process that lives on when the writer is killed.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "support/table_model.h"

namespace forebay::testing {

enum class LedgerPhase : std::uint64_t { kBegun = 1, kAcknowledged = 2 };

/// What goes through the pipe, in one write, so all of it or nothing.
struct LedgerEntry {
  std::uint64_t seed = 0;  ///< Of the call.
  LedgerPhase phase = LedgerPhase::kBegun;
};

/// A call that comes from its seed, so that both processes know it.
struct LedgerCall {
  enum class Kind { kPut, kDeleteKeys, kDeleteWhere, kTrain, kFlush, kMerge, kReopen };

  explicit LedgerCall(std::uint64_t call_seed);

  void ApplyTo(TableModel* model) const;

  std::uint64_t seed = 0;
  Kind kind = Kind::kPut;
  std::vector<TableRow> rows;
  std::vector<std::uint64_t> keys;
  TableFilter filter;
};

/// Of the table that is written.
TableKind LedgerTableKind();
/// How its writer opens it: so that it is flushed and merged all the time.
TableOptions LedgerTableOptions();

}  // namespace forebay::testing
