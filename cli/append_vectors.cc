// Rows of an Arrow array behind those of a VectorFile.
#include <arrow/array/array_base.h>
#include <fmt/format.h>

#include <algorithm>

#include "forebay/arrow.h"
#include "vector_formats.h"

namespace forebay::cli {

Status AppendVectors(const std::filesystem::path& path, const arrow::Array& vectors,
                     std::size_t max_rows, VectorFile& out) {
  const Result<ArrowVectors> converted = ArrowVectors::Make(vectors);
  if (!converted.ok()) {
    return CorruptFile(path, converted.status().message());
  }
  const VectorBatch batch = converted->batch(0);
  const std::size_t rows = std::min(batch.vectors.num_rows, max_rows - out.num_rows);
  for (std::size_t i = 0; batch.validity != nullptr && i < rows; ++i) {
    const std::size_t bit = batch.validity_offset + i;
    if ((batch.validity[bit / 8] >> (bit % 8) & 1U) == 0) {
      return CorruptFile(
          path, fmt::format("expected a vector in every row, row {} has a null", out.num_rows + i));
    }
  }
  const float* values = batch.vectors.data;
  out.dim = batch.vectors.dim;
  out.values.insert(out.values.end(), values, values + rows * out.dim);
  out.num_rows += rows;
  return Status::Ok();
}

}  // namespace forebay::cli
