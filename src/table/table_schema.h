// TableSchema: the columns of a table, and which of them are the vector and the primary key.
//
// Thread safety: immutable.
//
// Invariants:
//   1. The vector column is a fixed_size_list of float16, float32 or float64 with at least one
//      element. The primary key, if there is one, is int64, uint64 or utf8.
//   2. No column has a name that results use: `_rowid`, `_distance`, `query_index`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "forebay/status.h"

namespace arrow {
class Array;
class RecordBatch;
class Schema;
}  // namespace arrow

namespace forebay::table {

class TableSchema {
 public:
  /// kInvalidArgument where the invariants do not hold, a name is there twice, or a column named is
  /// not there.
  static Result<TableSchema> Make(std::shared_ptr<arrow::Schema> schema,
                                  const std::string& vector_column,
                                  const std::optional<std::string>& primary_key);

  /// What a new table must not have, though older ones may: kInvalidArgument for dictionaries whose
  /// indices have less than 32 bits, or whose values have dictionaries. (A file has one dictionary
  /// for the values of all its rows. Those of many batches are more than such an index may number,
  /// and Arrow does not put together what has parts of its own.)
  [[nodiscard]] Status CheckNew() const;

  /// The Arrow schema as an IPC message, and back.
  [[nodiscard]] Result<std::vector<std::byte>> Serialize() const;
  static Result<std::shared_ptr<arrow::Schema>> ParseArrow(const std::vector<std::byte>& bytes);

  /// The batch with exactly these fields. Its columns may come in any order, and may say the same
  /// in another form: large_utf8 or utf8_view for utf8, other names inside a list, dictionaries
  /// with other indices, nullable without a null. kInvalidArgument when one is missing or unknown,
  /// of another type, or has a null where the schema allows none, or in the primary key.
  [[nodiscard]] Result<std::shared_ptr<arrow::RecordBatch>> Conform(
      const arrow::RecordBatch& batch) const;

  [[nodiscard]] const std::shared_ptr<arrow::Schema>& arrow() const { return schema_; }
  [[nodiscard]] int vector_column() const { return vector_; }
  [[nodiscard]] std::optional<int> key_column() const { return key_; }
  [[nodiscard]] std::size_t dim() const { return dim_; }

 private:
  TableSchema() = default;

  std::shared_ptr<arrow::Schema> schema_;
  int vector_ = 0;
  std::optional<int> key_;
  std::size_t dim_ = 0;
};

}  // namespace forebay::table
