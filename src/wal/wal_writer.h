// WalWriter: opaque records into one log file.
//
// Thread safety: one thread at a time.
//
// Invariants:
//   1. Create returns when the file, its header and its name are durable, so a log that has records
//      has a header.
//   2. Each record says how much of the file was durable when it was written. A reader who finds
//      damage before that offset knows that records are lost that a Sync had made durable.
//   3. After a failure nothing more may be written: the next calls fail too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "storage/directory.h"

namespace forebay::wal {

/// What a log belongs to.
struct WalIdentity {
  std::uint64_t schema_fingerprint = 0;
  std::uint64_t model_fingerprint = 0;  ///< 0: no model.
  std::uint64_t writer_epoch = 0;
  std::uint64_t first_sequence_number = 0;

  friend bool operator==(const WalIdentity&, const WalIdentity&) = default;
};

/// Of one record.
inline constexpr std::uint32_t kMaxPayloadBytes = std::numeric_limits<std::uint32_t>::max();

/// One record; `payload` is borrowed.
struct WalRecord {
  std::uint32_t type = 0;
  std::uint64_t sequence_number = 0;  ///< Greater than that of the record before it.
  std::uint64_t argument = 0;         ///< A number that is known later than the payload.
  std::span<const std::byte> payload;
};

class WalWriter {
 public:
  /// A new file. kIoError, with EEXIST when there is one of that name.
  static Result<std::unique_ptr<WalWriter>> Create(storage::Directory* directory,
                                                   const std::string& name,
                                                   const WalIdentity& identity);

  /// Writes the records in one piece. kCapacityExceeded, nothing written, when a payload has more
  /// than kMaxPayloadBytes.
  Status Append(std::span<const WalRecord> records);

  /// Makes all records durable.
  Status Sync();

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t durable_size() const { return durable_size_; }

 private:
  WalWriter(std::unique_ptr<storage::AppendFile> file, std::uint64_t salt, std::uint64_t size)
      : file_(std::move(file)), salt_(salt), size_(size), durable_size_(size) {}

  /// `status`, and remembered if it is a failure.
  Status Remember(Status status);

  std::unique_ptr<storage::AppendFile> file_;
  const std::uint64_t salt_;
  std::uint64_t size_;
  std::uint64_t durable_size_;
  Status failure_;
  std::vector<std::byte> buffer_;  // Kept for its memory.
};

}  // namespace forebay::wal
