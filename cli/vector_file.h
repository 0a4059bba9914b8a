// The vectors of a file, whatever its format.
//
//   .npy                        float16, float32 or float64, two dimensions, C order
//   .fvecs                      each row: its dimension (int32), then that many float32
//   .arrow .arrows .feather .ipc  Arrow IPC, file or stream
//   .parquet                    Parquet
//
// In Arrow and Parquet the vectors are a fixed_size_list column of float16, float32 or float64.
// Every error names the file and says what was expected and what came.
#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "forebay/model.h"
#include "forebay/status.h"

namespace forebay::cli {

struct VectorFileOptions {
  /// Of an Arrow or Parquet file; empty: the only fixed_size_list column there is.
  std::string column;
  /// Read no more than the first so many rows.
  std::size_t max_rows = std::numeric_limits<std::size_t>::max();
};

/// At least one row, of at least one dimension.
struct VectorFile {
  std::vector<float> values;
  std::size_t num_rows = 0;
  std::size_t dim = 0;

  [[nodiscard]] VectorView view() const { return {values.data(), num_rows, dim}; }
  /// The rows [begin, end).
  [[nodiscard]] VectorView rows(std::size_t begin, std::size_t end) const {
    return {values.data() + begin * dim, end - begin, dim};
  }
};

/// Chooses the format by the file's extension.
Result<VectorFile> ReadVectorFile(const std::filesystem::path& path,
                                  const VectorFileOptions& options);

}  // namespace forebay::cli
