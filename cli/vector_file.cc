#include "vector_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "record_file.h"
#include "vector_formats.h"

namespace forebay::cli {

Result<VectorFile> ReadVectorFile(const std::filesystem::path& path,
                                  const VectorFileOptions& options) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool has_columns = extension != ".npy" && extension != ".fvecs";
  if (!has_columns && !options.column.empty()) {
    return Status::InvalidArgument(
        fmt::format("{}: --column is for Arrow and Parquet files", path.string()));
  }
  if (extension == ".npy") {
    return ReadNpy(path, options);
  }
  if (extension == ".fvecs") {
    return ReadFvecs(path, options);
  }
  if (HasRecords(path)) {
    return ReadVectorColumn(path, options);
  }
  return Status::InvalidArgument(fmt::format(
      "{}: expected a file named .npy, .fvecs, .arrow, .arrows, .feather, .ipc or .parquet",
      path.string()));
}

}  // namespace forebay::cli
