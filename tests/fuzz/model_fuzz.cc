// Fuzzes the reader of model files: the bytes as they are, and with the checksums and the
// fingerprint that belong to them. Whatever they are, it answers; what it takes, it writes again.
//
//   build/asan/tests/forebay_model_fuzz tests/fuzz/corpus/model
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "forebay/model.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace {

using Bytes = std::vector<std::byte>;

// Where docs/format.md has them.
constexpr std::size_t kNumBits = 14;
constexpr std::size_t kDim = 16;
constexpr std::size_t kNumPartitions = 20;
constexpr std::size_t kFingerprint = 32;
constexpr std::size_t kCentroidsChecksum = 40;
constexpr std::size_t kCodebookChecksum = 48;
constexpr std::size_t kHeaderChecksum = 56;
constexpr std::size_t kHeaderBytes = 64;

std::uint32_t Number(const Bytes& bytes, std::size_t at) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

void Set(Bytes* bytes, std::size_t at, std::uint64_t number) {
  std::memcpy(bytes->data() + at, &number, sizeof(number));
}

std::uint64_t Checksum(const Bytes& bytes, std::size_t begin, std::size_t end) {
  return XXH3_64bits(bytes.data() + begin, end - begin);
}

/// With all checksums right, as far as the bytes go.
Bytes Repaired(Bytes bytes) {
  if (bytes.size() < kHeaderBytes) {
    return bytes;
  }
  const std::uint64_t all = bytes.size() - kHeaderBytes;
  const std::uint64_t centroids =
      std::uint64_t{Number(bytes, kNumPartitions)} * Number(bytes, kDim) * sizeof(float);
  const unsigned num_bits = std::to_integer<unsigned>(bytes[kNumBits]) % 32;
  const std::uint64_t codebook = (std::uint64_t{Number(bytes, kDim)} << num_bits) * sizeof(float);
  const std::size_t codebook_begin = kHeaderBytes + std::min(all, centroids);
  const std::size_t codebook_end =
      codebook_begin + std::min<std::uint64_t>(bytes.size() - codebook_begin, codebook);
  Set(&bytes, kCentroidsChecksum, Checksum(bytes, kHeaderBytes, codebook_begin));
  Set(&bytes, kCodebookChecksum, Checksum(bytes, codebook_begin, codebook_end));
  Set(&bytes, kFingerprint, 0);
  Set(&bytes, kHeaderChecksum, 0);
  Set(&bytes, kFingerprint, Checksum(bytes, 0, kHeaderBytes));
  Set(&bytes, kHeaderChecksum, Checksum(bytes, 0, kHeaderChecksum));
  return bytes;
}

void Check(const Bytes& bytes) {
  const auto model = forebay::IvfPqModel::Parse(bytes);
  if (model.ok() && !std::ranges::equal(model->Serialize(), bytes)) {
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
