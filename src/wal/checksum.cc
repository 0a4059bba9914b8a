#include "wal/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay::wal {

std::uint64_t Checksum(const FileHeader& header) {
  return XXH3_64bits(&header, offsetof(FileHeader, checksum));
}

std::uint64_t Checksum(const RecordHeader& header, std::uint64_t salt) {
  constexpr std::size_t kFrom = sizeof(header.checksum);
  return XXH3_64bits_withSeed(reinterpret_cast<const std::byte*>(&header) + kFrom,
                              sizeof(header) - kFrom, salt);
}

std::uint64_t PayloadChecksum(std::span<const std::byte> payload, std::uint64_t salt) {
  return XXH3_64bits_withSeed(payload.data(), payload.size(), salt);
}

}  // namespace forebay::wal
