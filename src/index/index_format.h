// The bytes of an index file, as docs/format.md describes them:
//
//   header, directory [partition], runs, array, zeros | model, zeros | blocks | footer
//
// Thread safety: plain data and pure functions.
//
// Invariants:
//   1. Everything lies at a multiple of its alignment, the model and each block at a multiple of
//      64: where the bytes begin at such an address, they are used where they lie.
//   2. The blocks of a partition are neighbours, in the order of its rows, and partitions follow
//      each other in their own order. All blocks of a partition but its last are full; lanes
//      without a row are zeros.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "base/aligned_array.h"
#include "index/row_positions.h"

namespace forebay::index {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

inline constexpr char kIndexMagic[8] = {'F', 'R', 'B', 'Y', 'I', 'N', 'D', 'X'};
inline constexpr std::uint32_t kIndexVersion = 1;

/// The first 64 bytes of a file.
struct IndexHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t code_len;  // Bytes of one code.
  std::uint32_t num_partitions;
  std::uint32_t num_rows;
  std::uint32_t num_blocks;
  std::uint32_t num_runs;
  std::uint32_t array_from;  // The first ordinal whose position is in the array; num_rows: none.
  std::uint32_t has_terms;   // 0 or 1.
  std::uint64_t model_fingerprint;
  std::uint64_t model_bytes;  // 0: the model is not in the file.
  std::uint64_t checksum;     // Of the 56 bytes before it.
};
static_assert(sizeof(IndexHeader) == 64 && std::has_unique_object_representations_v<IndexHeader>);

/// One for each partition.
struct DirectoryEntry {
  std::uint32_t num_rows;
  std::uint32_t first_block;  // Where it would have one, if it has none.
};
static_assert(sizeof(DirectoryEntry) == 8);
static_assert(sizeof(RowPositions::Run) == 16 &&
              std::has_unique_object_representations_v<RowPositions::Run>);

/// The last 16 bytes.
struct IndexFooter {
  std::uint64_t contents_checksum;  // From the end of the header to the first block.
  std::uint64_t blocks_checksum;
};
static_assert(sizeof(IndexFooter) == 16);

/// Where the parts begin, in bytes from the beginning of the file.
struct IndexParts {
  std::uint64_t directory = sizeof(IndexHeader);
  std::uint64_t runs = 0;
  std::uint64_t array = 0;
  std::uint64_t model = 0;
  std::uint64_t blocks = 0;
  std::uint64_t footer = 0;
  std::uint64_t end = 0;
};

inline constexpr std::uint64_t PaddedBytes(std::uint64_t bytes) {
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

/// Of a header whose numbers are no greater than those of a file that exists.
inline IndexParts PartsOf(const IndexHeader& header, std::uint64_t block_bytes) {
  IndexParts parts;
  parts.runs = parts.directory + std::uint64_t{header.num_partitions} * sizeof(DirectoryEntry);
  parts.array = parts.runs + std::uint64_t{header.num_runs} * sizeof(RowPositions::Run);
  const std::uint64_t array_size = header.num_rows - header.array_from;
  parts.model = PaddedBytes(parts.array + array_size * sizeof(std::uint64_t));
  parts.blocks = parts.model + PaddedBytes(header.model_bytes);
  parts.footer = parts.blocks + std::uint64_t{header.num_blocks} * block_bytes;
  parts.end = parts.footer + sizeof(IndexFooter);
  return parts;
}

std::uint64_t ChecksumOf(const IndexHeader& header);

}  // namespace forebay::index
