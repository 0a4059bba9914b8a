// Fuzzes the reader of .npy files: the bytes as they are, and as the header of a file that has as
// many bytes of data as the header says. Whatever they are, it answers; what it takes has the shape
// that the header says, and a part of it is what it begins with.
//
//   build/asan/tests/forebay_npy_fuzz tests/fuzz/corpus/npy
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/memory_file.h"
#include "npy_header.h"
#include "vector_formats.h"

namespace {

using forebay::cli::ParseNpyHeader;
using forebay::cli::ReadNpy;

constexpr std::size_t kMaxDataBytes = std::size_t{1} << 16U;

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

bool SameBits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

void Check(std::string_view bytes) {
  static const forebay::testing::MemoryFile file;
  file.Write(std::as_bytes(std::span(bytes)));
  const auto all = ReadNpy(file.path(), {});
  const auto some = ReadNpy(file.path(), {.max_rows = 2});
  Require(all.ok() == some.ok());
  if (!all.ok()) {
    return;
  }
  Require(all->num_rows > 0 && all->dim > 0);
  Require(all->values.size() == all->num_rows * all->dim);
  Require(some->num_rows == std::min<std::size_t>(all->num_rows, 2) && some->dim == all->dim);
  Require(std::equal(some->values.begin(), some->values.end(), all->values.begin(), SameBits));
}

/// A file with this header, and as much data as it says, if that is little.
std::string WithHeader(std::string_view text) {
  std::string file = "\x93NUMPY\x01";
  file += '\0';
  const std::size_t length = std::min<std::size_t>(text.size(), 0xffff);
  file += static_cast<char>(length & 0xffU);
  file += static_cast<char>(length >> 8U);
  file += text.substr(0, length);
  const auto header = ParseNpyHeader(text.substr(0, length));
  if (!header.has_value()) {
    return file;
  }
  std::size_t num_bytes = header->descr.ends_with('2') ? 2 : header->descr.ends_with('8') ? 8 : 4;
  for (const std::uint64_t extent : header->shape) {
    num_bytes = extent > kMaxDataBytes ? kMaxDataBytes + 1 : num_bytes * extent;
    if (num_bytes > kMaxDataBytes) {
      return file;
    }
  }
  for (std::size_t i = 0; i < num_bytes; ++i) {
    file += static_cast<char>(i * 37);
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  Check(WithHeader(bytes));
  // The header of a valid file, which libFuzzer changes without getting its length right.
  constexpr std::size_t kBeforeHeader = 10;
  if (size > kBeforeHeader) {
    Check(WithHeader(bytes.substr(kBeforeHeader)));
  }
  return 0;
}
