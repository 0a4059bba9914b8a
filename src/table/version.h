// Version: what a reader of a table sees.
//
// Thread safety: immutable; shared by pointers.
//
// Invariants:
//   1. Sources are in the order of their `_rowid`s: generations, then a MemTable that is being
//      flushed, if there is one, then the MemTable that is written to.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "forebay/model.h"
#include "table/source.h"

namespace arrow {
class Array;
class DataType;
}  // namespace arrow

namespace forebay::table {

/// Where a row of a version is; in the order of `_rowid`.
struct RowPlace {
  std::uint32_t source = 0;  ///< Of the version's.
  std::uint32_t ordinal = 0;

  friend auto operator<=>(const RowPlace&, const RowPlace&) = default;
};

/// A row, and how far it is from a query.
struct FoundRow {
  float distance = 0;
  RowPlace row;

  friend auto operator<=>(const FoundRow&, const FoundRow&) = default;
};

struct Version {
  std::vector<std::shared_ptr<const Source>> sources;
  std::uint64_t sequence_number = 0;               ///< Of the last batch; 0: none.
  std::uint64_t wal_bytes = 0;                     ///< Of all logs.
  std::optional<IvfPqModel> model;                 ///< Of the MemTable, and of those to come.
  std::optional<double> model_quantization_error;  ///< As the manifest has it.

  [[nodiscard]] const Source& memtable() const { return *sources.back(); }
  [[nodiscard]] std::uint32_t memtable_place() const {
    return static_cast<std::uint32_t>(sources.size() - 1);
  }
  [[nodiscard]] std::uint64_t num_rows() const;
  [[nodiscard]] std::uint64_t num_dead() const;
  [[nodiscard]] std::uint64_t num_live() const { return num_rows() - num_dead(); }
  [[nodiscard]] bool IsDead(RowPlace row) const { return sources[row.source]->IsDead(row.ordinal); }
  /// As of Rows.
  [[nodiscard]] const float* Vector(RowPlace row, float* room) const {
    return sources[row.source]->rows.Vector(row.ordinal, room);
  }

  /// As GenerationStats has it.
  [[nodiscard]] std::optional<double> DriftOf(const Source& source) const;
  /// The live row with this `_rowid`.
  [[nodiscard]] std::optional<RowPlace> FindRow(std::uint64_t row_id) const;
  /// The live row of a key that is not in the MemTable.
  [[nodiscard]] std::optional<RowPlace> FindOlder(const Key& key) const;

  /// The MemTable is another one from now on.
  void SetMemTable(Source source) {
    sources.back() = std::make_shared<const Source>(std::move(source));
  }
  /// These rows, which ascend, are dead from now on.
  void Kill(std::span<const RowPlace> rows);

  /// One column of these rows, in this order.
  [[nodiscard]] Result<std::shared_ptr<arrow::Array>> Take(
      int column, const std::shared_ptr<arrow::DataType>& type,
      std::span<const RowPlace> rows) const;
};

}  // namespace forebay::table
