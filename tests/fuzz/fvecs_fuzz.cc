// Fuzzes the reader of .fvecs files against a plain one. Whatever the bytes, both take them or
// neither.
//
//   build/asan/tests/forebay_fvecs_fuzz tests/fuzz/corpus/fvecs
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "fuzz/memory_file.h"
#include "vector_formats.h"

namespace {

using Bytes = std::span<const std::byte>;

std::int32_t DimAt(Bytes bytes, std::size_t at) {
  std::int32_t dim = 0;
  std::memcpy(&dim, bytes.data() + at, sizeof(dim));
  return dim;
}

/// The bytes of all elements, if these are rows of one dimension.
std::optional<std::vector<std::byte>> Plain(Bytes bytes) {
  constexpr std::size_t kDimBytes = sizeof(std::int32_t);
  std::vector<std::byte> elements;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (bytes.size() - at < kDimBytes || DimAt(bytes, at) < 1 ||
        DimAt(bytes, at) != DimAt(bytes, 0)) {
      return std::nullopt;
    }
    const auto row_bytes = static_cast<std::size_t>(DimAt(bytes, at)) * sizeof(float);
    at += kDimBytes;
    if (bytes.size() - at < row_bytes) {
      return std::nullopt;
    }
    const Bytes row = bytes.subspan(at, row_bytes);
    elements.insert(elements.end(), row.begin(), row.end());
    at += row_bytes;
  }
  return elements.empty() ? std::nullopt : std::optional(elements);
}

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const forebay::testing::MemoryFile file;
  const Bytes bytes = std::as_bytes(std::span(data, size));
  file.Write(bytes);
  const auto read = forebay::cli::ReadFvecs(file.path(), {});
  const auto expected = Plain(bytes);
  Require(read.ok() == expected.has_value());
  if (read.ok()) {
    Require(read->values.size() == read->num_rows * read->dim);
    Require(read->values.size() * sizeof(float) == expected->size());
    Require(std::memcmp(read->values.data(), expected->data(), expected->size()) == 0);
  }
  return 0;
}
