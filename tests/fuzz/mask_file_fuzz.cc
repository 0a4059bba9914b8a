// Fuzzes the reader of mask files: the bytes as they are, and with the size and the checksums that
// belong to them. Whatever they are, it answers; what it takes, it writes and takes again.
//
//   build/asan/tests/forebay_mask_file_fuzz tests/fuzz/corpus/mask_file
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "segment/mask_file.h"
#include "support/faulty_directory.h"
#include "support/segment_files.h"

namespace {

using Bytes = forebay::testing::FileBytes;

constexpr std::uint32_t kNumRows = 200'000;
// Where docs/format.md has them.
constexpr std::size_t kBitmapBytes = 24;
constexpr std::size_t kBitmapChecksum = 32;
constexpr std::size_t kHeaderChecksum = 56;
constexpr std::size_t kHeaderBytes = 64;

void Set(Bytes* bytes, std::size_t at, std::uint64_t number) {
  std::memcpy(bytes->data() + at, &number, sizeof(number));
}

Bytes Repaired(Bytes bytes) {
  if (bytes.size() >= kHeaderBytes) {
    using forebay::segment::Checksum;
    Set(&bytes, kBitmapBytes, bytes.size() - kHeaderBytes);
    Set(&bytes, kBitmapChecksum, Checksum(std::span(bytes).subspan(kHeaderBytes)));
    Set(&bytes, kHeaderChecksum, Checksum(std::span(bytes).first(kHeaderChecksum)));
  }
  return bytes;
}

void Check(const Bytes& bytes) {
  using forebay::segment::ReadMask;
  using forebay::segment::WriteMask;
  const auto mask = ReadMask(*forebay::testing::Mapped(bytes), kNumRows);
  if (!mask.ok()) {
    return;
  }
  forebay::FaultyDirectory directory;
  if (!WriteMask(&directory, "mask", *mask, kNumRows).ok() ||
      *ReadMask(**directory.Map("mask"), kNumRows) != *mask) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto given = std::as_bytes(std::span(data, size));
  const Bytes bytes(given.begin(), given.end());
  Check(bytes);
  Check(Repaired(bytes));
  return 0;
}
