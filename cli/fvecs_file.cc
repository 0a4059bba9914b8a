// .fvecs: each row is its dimension (int32, little-endian), then that many float32.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "vector_formats.h"

namespace forebay::cli {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(std::int32_t);
/// Rows are read in chunks of about this size, which keeps the second copy small.
constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

std::int32_t ReadDim(const std::byte* row) {
  std::int32_t dim = 0;
  std::memcpy(&dim, row, sizeof(dim));
  return dim;
}

}  // namespace

Result<VectorFile> ReadFvecs(const std::filesystem::path& path, const VectorFileOptions& options) {
  const Result<InputFile> input = InputFile::Open(path);
  if (!input.ok()) {
    return input.status();
  }
  std::byte start[kHeaderBytes] = {};
  if (input->size() < kHeaderBytes) {
    return CorruptFile(path, fmt::format("expected .fvecs rows, it has {} bytes", input->size()));
  }
  if (const Status read = input->ReadAt(0, kHeaderBytes, start); !read.ok()) {
    return read;
  }
  const std::int32_t first_dim = ReadDim(start);
  if (first_dim < 1) {
    return CorruptFile(
        path, fmt::format("expected a dimension of at least 1 in row 0, found {}", first_dim));
  }
  VectorFile file;
  file.dim = static_cast<std::size_t>(first_dim);
  const std::size_t row_bytes = kHeaderBytes + file.dim * sizeof(float);
  if (input->size() % row_bytes != 0) {
    return CorruptFile(path,
                       fmt::format("expected a multiple of {} bytes (rows of dimension {}), it has "
                                   "{}: truncated, or rows of different dimensions",
                                   row_bytes, file.dim, input->size()));
  }
  file.num_rows = std::min<std::uint64_t>(input->size() / row_bytes, options.max_rows);
  file.values.resize(file.num_rows * file.dim);

  const std::size_t chunk_rows = std::max<std::size_t>(1, kChunkBytes / row_bytes);
  std::vector<std::byte> chunk(std::min(chunk_rows, file.num_rows) * row_bytes);
  for (std::size_t row = 0; row < file.num_rows; ++row) {
    const std::size_t in_chunk = row % chunk_rows;
    if (in_chunk == 0) {
      const std::size_t rows = std::min(chunk_rows, file.num_rows - row);
      const Status read = input->ReadAt(row * row_bytes, rows * row_bytes, chunk.data());
      if (!read.ok()) {
        return read;
      }
    }
    const std::byte* bytes = chunk.data() + in_chunk * row_bytes;
    if (ReadDim(bytes) != first_dim) {
      return CorruptFile(path, fmt::format("expected dimension {} as in row 0, row {} has {}",
                                           first_dim, row, ReadDim(bytes)));
    }
    std::memcpy(file.values.data() + row * file.dim, bytes + kHeaderBytes,
                file.dim * sizeof(float));
  }
  return file;
}

}  // namespace forebay::cli
