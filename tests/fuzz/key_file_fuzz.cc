// Fuzzes the reader of key files: the bytes as they are, and with the header's checksum that
// belongs to them. Whatever they are, it answers; what it finds verified, it finds, and writes
// again, byte by byte the same.
//
//   build/asan/tests/forebay_key_file_fuzz tests/fuzz/corpus/key_file
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "segment/key_file.h"
#include "support/faulty_directory.h"
#include "support/segment_files.h"

namespace {

using forebay::segment::KeyFile;
using Bytes = forebay::testing::FileBytes;

constexpr std::uint32_t kNumRows = 1000;
// Where docs/format.md has it.
constexpr std::size_t kHeaderChecksum = 56;
constexpr std::size_t kHeaderBytes = 64;

void Require(bool truth) {
  if (!truth) {
    std::abort();
  }
}

Bytes Repaired(Bytes bytes) {
  if (bytes.size() >= kHeaderBytes) {
    const std::uint64_t checksum =
        forebay::segment::Checksum(std::span(bytes).first(kHeaderChecksum));
    std::memcpy(bytes.data() + kHeaderChecksum, &checksum, sizeof(checksum));
  }
  return bytes;
}

void CheckVerified(const KeyFile& file, const Bytes& bytes) {
  std::vector<std::pair<std::string, std::uint32_t>> keys;
  file.ForEach([&](std::string_view key, std::uint32_t ordinal) {
    Require(file.Find(key) == ordinal);
    keys.emplace_back(key, ordinal);
  });
  Require(keys.size() == file.size());
  forebay::FaultyDirectory directory;
  Require(WriteKeys(&directory, "keys", file.kind(), keys).ok());
  Require(*directory.Read("keys") == bytes);
}

void Check(const Bytes& bytes) {
  const auto mapping = forebay::testing::Mapped(bytes);
  const auto file = KeyFile::Open(mapping, /*verify=*/false, kNumRows);
  if (file.ok()) {
    file->ForEach([&](std::string_view key, std::uint32_t) {
      Require(file->Find(key).value_or(0) < kNumRows);
    });
    Require(file->Find("").value_or(0) < kNumRows);
  }
  const auto verified = KeyFile::Open(mapping, /*verify=*/true, kNumRows);
  if (verified.ok()) {
    CheckVerified(*verified, bytes);
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
