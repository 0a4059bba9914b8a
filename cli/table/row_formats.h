// The outputs behind OpenRowOutput, one for each format.
#pragma once

#include <filesystem>
#include <memory>

#include "record_file.h"
#include "table/row_output.h"

namespace forebay::cli {

/// Aligned columns on standard output.
std::unique_ptr<RowOutput> TextRows(const arrow::Schema& schema, TextStyle style);
/// An object a line on standard output.
std::unique_ptr<RowOutput> JsonRows();
/// An Arrow IPC stream on standard output.
Result<std::unique_ptr<RowOutput>> ArrowRows(const std::shared_ptr<arrow::Schema>& schema);
/// A file, which has its name, and replaces another one of that name, when it is finished.
Result<std::unique_ptr<RowOutput>> FileRows(const std::filesystem::path& path, RecordFormat format,
                                            const std::shared_ptr<arrow::Schema>& schema);

}  // namespace forebay::cli
