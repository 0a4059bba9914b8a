// Rows of a table in plain C++, to Arrow and back: what tests of tables write, and compare.
//
// Thread safety: plain values and pure functions.
//
// Every table of the tests has the columns id (the primary key, where there is one), number
// (int64), text (utf8, may be null) and vector.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "forebay/table.h"
#include "support/test_data.h"

namespace forebay::testing {

enum class KeyKind { kNone, kInt64, kUInt64, kUtf8 };
enum class ElementKind { kFloat16, kFloat32, kFloat64 };

/// What a table of the tests is.
struct TableKind {
  KeyKind key = KeyKind::kInt64;
  ElementKind element = ElementKind::kFloat32;
  Metric metric = Metric::kL2;
  std::int32_t dim = 4;
};

struct TableRow {
  /// A number for each key: where keys are text, or spread over all of 64 bits, it stands for one.
  std::uint64_t key = 0;
  std::int64_t number = 0;
  std::optional<std::string> text = std::nullopt;
  std::vector<double> vector = {};

  friend bool operator==(const TableRow&, const TableRow&) = default;
};
std::ostream& operator<<(std::ostream& out, const TableRow& row);

/// By `_rowid`.
using StoredRows = std::map<std::uint64_t, TableRow>;

/// A filter that both sides understand.
struct TableFilter {
  enum class Kind { kEverything, kNothing, kNumberBetween, kTextIs, kTextIsMissing };
  Kind kind = Kind::kEverything;
  std::int64_t low = 0;  ///< Of kNumberBetween: [low, high).
  std::int64_t high = 0;
  std::string text = {};

  [[nodiscard]] bool Matches(const TableRow& row) const;
  [[nodiscard]] arrow::compute::Expression ToArrow() const;
};

TableDefinition DefinitionOf(const TableKind& kind, std::optional<IvfPqModel> model = std::nullopt);

std::shared_ptr<arrow::RecordBatch> BatchOf(const TableKind& kind, std::span<const TableRow> rows);
std::shared_ptr<arrow::Array> KeyArray(const TableKind& kind, std::span<const std::uint64_t> keys);

/// The rows of a batch that has all columns, in its order.
std::vector<TableRow> RowsOf(const TableKind& kind, const arrow::RecordBatch& batch);
/// Its column `_rowid`.
std::vector<std::uint64_t> RowIdsOf(const arrow::RecordBatch& batch);
/// All that a scan gives. Throws when it gives a row twice, or not in the order of `_rowid`.
StoredRows ReadAll(const TableKind& kind, arrow::RecordBatchReader* reader);
/// The columns that RowsOf and RowIdsOf need.
std::vector<std::string> AllColumns();

/// Seeded. Vectors are exact in the table's element type, and good under its metric; often two are
/// equal in some elements, or all.
TableRow RandomRow(const TableKind& kind, std::uint64_t key, Rng* random);

/// As queries, and as the table compares them.
std::vector<float> AsFloats(const std::vector<double>& vector);

}  // namespace forebay::testing
