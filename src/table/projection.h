// Projection: the columns that a caller asked for, some of the table's and perhaps `_rowid`.
//
// Thread safety: immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "table/table_schema.h"
#include "table/version.h"

namespace arrow {
class Array;
class RecordBatch;
class Schema;
}  // namespace arrow

namespace forebay::table {

class Projection {
 public:
  /// kInvalidArgument for a name that is no column, or is there twice.
  static Result<Projection> Make(const TableSchema& schema, const std::vector<std::string>& names);
  /// All columns of the table, without `_rowid`.
  static Result<Projection> All(const TableSchema& schema);

  [[nodiscard]] const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// The columns of these rows, in this order.
  [[nodiscard]] Result<std::vector<std::shared_ptr<arrow::Array>>> Take(
      const Version& version, std::span<const RowPlace> rows) const;
  /// The columns of a whole batch.
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatch>> Of(const RowBatch& batch) const;

 private:
  static constexpr int kRowId = -1;

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> columns_;  // Of the table, or kRowId.
};

}  // namespace forebay::table
