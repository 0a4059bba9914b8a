// The readers behind ReadVectorFile, one for each format, and what they share.
#pragma once

#include <cstddef>
#include <filesystem>

#include "arrow_input.h"
#include "forebay/status.h"
#include "vector_file.h"

namespace arrow {
class Array;
}  // namespace arrow

namespace forebay::cli {

Result<VectorFile> ReadNpy(const std::filesystem::path& path, const VectorFileOptions& options);
Result<VectorFile> ReadFvecs(const std::filesystem::path& path, const VectorFileOptions& options);
/// The vector column of an Arrow IPC or Parquet file.
Result<VectorFile> ReadVectorColumn(const std::filesystem::path& path,
                                    const VectorFileOptions& options);

/// Appends the rows of a fixed_size_list array to `out`, up to max_rows in all. Nulls are an error.
Status AppendVectors(const std::filesystem::path& path, const arrow::Array& vectors,
                     std::size_t max_rows, VectorFile& out);

}  // namespace forebay::cli
