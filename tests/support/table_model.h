// TableModel: what a table must hold, in two plain maps.
//
// Thread safety: as a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/table_rows.h"

namespace forebay::testing {

class TableModel {
 public:
  explicit TableModel(const TableKind& kind) : kind_(kind) {}

  /// How many older rows the rows replace, those of the same call counted.
  std::size_t Put(std::span<const TableRow> rows);
  /// How many rows there were.
  std::size_t Delete(std::span<const std::uint64_t> keys);
  std::size_t Delete(const TableFilter& filter);

  /// By `_rowid`.
  [[nodiscard]] const StoredRows& rows() const { return rows_; }
  [[nodiscard]] StoredRows Matching(const TableFilter& filter) const;
  /// The `_rowid` of a key's row.
  [[nodiscard]] std::optional<std::uint64_t> Find(std::uint64_t key) const;
  /// Of the next row that is put.
  [[nodiscard]] std::uint64_t next_row_id() const { return next_row_id_; }
  [[nodiscard]] const TableKind& kind() const { return kind_; }

  /// The k nearest rows of those that match, as (distance, `_rowid`), by exact distances in the
  /// canonical arithmetic; ties by `_rowid`.
  [[nodiscard]] std::vector<std::pair<float, std::uint64_t>> Nearest(
      const std::vector<float>& query, std::size_t k, const TableFilter& filter) const;

 private:
  TableKind kind_;
  StoredRows rows_;
  std::map<std::uint64_t, std::uint64_t> row_of_key_;
  std::uint64_t next_row_id_ = 0;
};

/// How what a scan of the table gives differs from the model; empty: in nothing.
std::string Difference(const Table& table, const TableModel& model);
/// The same of everything else that can be read: counts, each key, each row, a search for all rows;
/// and what Verify says.
std::string DeepDifference(const Table& table, const TableModel& model);

}  // namespace forebay::testing
