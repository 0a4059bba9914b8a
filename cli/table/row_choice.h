// Rows as the command line names them: by their keys, or by `_rowid`.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "forebay/table.h"

namespace forebay::cli {

/// Adds --columns.
void AddColumnsFlag(CLI::App& command, std::vector<std::string>& columns);
/// Adds --row-id, which may be given several times.
CLI::Option* AddRowIdFlag(CLI::App& command, std::vector<std::uint64_t>& row_ids);

/// Keys of the table's type, from their texts.
Result<std::shared_ptr<arrow::Array>> ParseKeys(const Table& table,
                                                const std::vector<std::string>& texts);

struct ChosenRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<std::string> missing;  ///< Which rows are not there.
};

/// Empty `columns`: all but `_rowid`.
Result<ChosenRows> RowsByKey(const Table& table, const std::vector<std::string>& keys,
                             const std::vector<std::string>& columns);
Result<ChosenRows> RowsById(const Table& table, const std::vector<std::uint64_t>& row_ids,
                            const std::vector<std::string>& columns);

/// kFailedPrecondition when some are missing.
Status RequireAll(const ChosenRows& chosen);

}  // namespace forebay::cli
