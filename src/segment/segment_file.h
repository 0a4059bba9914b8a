// SegmentFile: a file that is written once, summed while it is, and mapped.
//
// Thread safety: a SegmentWriter belongs to one thread at a time; the rest are pure functions and
// plain values.
//
// Invariants:
//   1. A FileSum is of bytes that are durable. (The file's name is not: Directory::SyncNames.)
//   2. After a failed Append a SegmentWriter only fails, with the same Status.
//   3. What allocates may throw std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "forebay/status.h"
#include "storage/directory.h"

namespace forebay::segment {

/// What a file is to be when it is opened again.
struct FileSum {
  std::string name;
  std::uint64_t num_bytes = 0;
  std::uint64_t checksum = 0;  ///< XXH3-64 of all bytes.

  friend bool operator==(const FileSum&, const FileSum&) = default;
};

/// XXH3-64.
std::uint64_t Checksum(std::span<const std::byte> bytes);

/// A new file that sums what is appended.
class SegmentWriter {
 public:
  /// kIoError with EEXIST where the name is taken.
  static Result<std::unique_ptr<SegmentWriter>> Create(storage::Directory* directory,
                                                       std::string name);
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;
  ~SegmentWriter();

  /// Held back until there is about 1 MiB, so that many small ones are few writes.
  Status Append(std::span<const std::byte> bytes);
  /// Writes what was held back and makes all of it durable. Once; nothing is appended after it.
  Result<FileSum> Finish();

  /// That were appended.
  [[nodiscard]] std::uint64_t num_bytes() const { return num_bytes_; }

 private:
  struct State;
  SegmentWriter(std::string name, std::unique_ptr<State> state);

  Status Write(std::span<const std::byte> bytes);
  Status Flush();

  const std::string name_;
  const std::unique_ptr<State> state_;
  std::uint64_t num_bytes_ = 0;
};

/// Maps the file, without reading it. kCorruption when its size differs; kIoError with ENOENT when
/// it is missing.
Result<std::shared_ptr<const storage::Mapping>> OpenSegmentFile(const storage::Directory& directory,
                                                                const FileSum& expected);

/// kCorruption when the bytes of the file, mapped, have another checksum.
Status VerifySegmentFile(const storage::Directory& directory, const FileSum& expected,
                         std::span<const std::byte> bytes);

}  // namespace forebay::segment
