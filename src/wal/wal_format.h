// The bytes of a write-ahead log, as docs/format.md describes them: a header, then records.
//
// Thread safety: plain data.
//
// Invariants:
//   1. Records begin at multiples of kRecordAlignment; what is between them is zero.
//   2. A record's checksums are seeded with the file's salt, so bytes of another file, or of a
//      payload, are never taken for a record.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace forebay::wal {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

inline constexpr char kMagic[8] = {'F', 'R', 'B', 'Y', 'W', 'A', 'L', '\0'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kRecordAlignment = 8;

/// The first 64 bytes of a file.
struct FileHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t reserved;
  std::uint64_t salt;  // Random, of this file alone.
  std::uint64_t schema_fingerprint;
  std::uint64_t model_fingerprint;  // 0: none.
  std::uint64_t writer_epoch;
  std::uint64_t first_sequence_number;  // That its records may have.
  std::uint64_t checksum;               // Of the 56 bytes before it.
};
static_assert(sizeof(FileHeader) == 64 && std::has_unique_object_representations_v<FileHeader>);

/// Before each payload.
struct RecordHeader {
  std::uint64_t checksum;  // Of the 40 bytes after it.
  std::uint64_t payload_checksum;
  std::uint64_t sequence_number;
  std::uint64_t durable_offset;  // The file's bytes up to here had been synced.
  std::uint64_t argument;
  std::uint32_t payload_bytes;
  std::uint32_t type;
};
static_assert(sizeof(RecordHeader) == 48 && std::has_unique_object_representations_v<RecordHeader>);
static_assert(sizeof(RecordHeader) % kRecordAlignment == 0);

/// With the zeros after it.
inline constexpr std::uint64_t PaddedBytes(std::uint64_t payload_bytes) {
  return (payload_bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

}  // namespace forebay::wal
