// ParseWal: the records of a log file, and where it ends.
//
// Thread safety: a pure function of the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "forebay/status.h"
#include "wal/wal_writer.h"

namespace forebay::wal {

/// Payloads are borrowed from the bytes.
struct WalContents {
  /// None: the file was being created when the power went; nothing was ever written to it.
  std::optional<WalIdentity> identity;
  std::vector<WalRecord> records;
  /// The records end here. What follows was being written when the power went, and was never
  /// durable: it is to be cut before more is written.
  std::uint64_t valid_bytes = 0;
  std::uint64_t torn_bytes = 0;
};

/// `name` is for messages. kUnsupported for another version; kCorruption when the header is damaged
/// or of another format, or when records are damaged or missing that had been durable. (Damage in
/// the records that were synced last, with none after them, cannot be told from a torn tail.)
Result<WalContents> ParseWal(std::span<const std::byte> bytes, std::string_view name);

}  // namespace forebay::wal
