// Version: what a reader of a table sees.
//
// Thread safety: immutable; shared by pointers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "forebay/index.h"
#include "forebay/model.h"
#include "table/row_set.h"
#include "table/rows.h"

namespace forebay::table {

struct Version {
  Rows rows;
  std::uint64_t first_row_id = 0;  ///< `_rowid` of ordinal 0; the others follow.
  /// Rows that died; nullptr: none did.
  std::shared_ptr<const RowSet> dead;
  std::uint64_t num_dead = 0;
  std::uint64_t sequence_number = 0;  ///< Of the last batch; 0: none.
  std::uint64_t wal_bytes = 0;        ///< Of all logs.
  std::uint64_t log_bytes = 0;        ///< Of the one that is written.
  std::optional<IvfPqModel> model;
  /// With a model. It may have more rows than `rows`: those are not to be seen yet. Row positions
  /// are ordinals.
  std::shared_ptr<IvfPqMemIndex> index;

  [[nodiscard]] std::uint64_t num_live() const { return rows.size() - num_dead; }
  [[nodiscard]] bool IsDead(std::uint32_t row) const {
    return dead != nullptr && dead->Contains(row);
  }
  [[nodiscard]] std::uint64_t num_bytes() const {
    return rows.num_bytes() + (index == nullptr ? 0 : index->memory_usage().total());
  }
};

}  // namespace forebay::table
