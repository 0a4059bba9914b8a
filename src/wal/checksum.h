// Checksums of log files: XXH3-64.
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wal/wal_format.h"

namespace forebay::wal {

std::uint64_t Checksum(const FileHeader& header);
std::uint64_t Checksum(const RecordHeader& header, std::uint64_t salt);
std::uint64_t PayloadChecksum(std::span<const std::byte> payload, std::uint64_t salt);

}  // namespace forebay::wal
