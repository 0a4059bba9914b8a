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
  /// They can be read, which does not say that they are durable: the process may have died before
  /// they were synced, or a sync may have failed. Whoever goes on with them writes them into a new
  /// log first.
  std::vector<WalRecord> records;
  /// The records end here.
  std::uint64_t valid_bytes = 0;
  /// What follows was being written when the power went: nothing says that it was ever durable.
  std::uint64_t torn_bytes = 0;
};

/// `name` is for messages. kUnsupported for another version; kCorruption when the header is damaged
/// or of another format, or when a later record says that damaged ones had been durable. (Where no
/// record is left after the damage, as in a file that was cut off, it cannot be told from a torn
/// tail. Who knows a size that had been durable compares it with valid_bytes.)
Result<WalContents> ParseWal(std::span<const std::byte> bytes, std::string_view name);

}  // namespace forebay::wal
