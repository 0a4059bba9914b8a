// Directory: the few file operations that a table's durability needs, all of them in one directory.
// PosixDirectory does them; tests have a twin that fails and crashes where they want.
//
// Thread safety: a Directory may be used from any thread; an AppendFile from one at a time. A
// Mapping never changes.
//
// Invariants:
//   1. After a crash a file has the bytes of its last Sync, and any part of what was appended
//      since; the names are those of the last SyncNames, and any of the changes since.
//   2. What fails is kIoError, with os_error() as the system gave it: EEXIST where a name is
//      taken, ENOENT where there is none.
//   3. After a failed Append or Sync nothing is known of the bytes since the last Sync, and no
//      later Sync makes up for it, not even of a file that is opened anew: that can be read says
//      nothing of what is durable. Only bytes that are written again are.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "forebay/status.h"

namespace forebay::storage {

/// A file that is written at its end.
class AppendFile {
 public:
  AppendFile() = default;
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  virtual ~AppendFile() = default;

  virtual Status Append(std::span<const std::byte> bytes) = 0;
  /// Makes all that was appended durable. The file's name is not; see SyncNames.
  virtual Status Sync() = 0;
};

/// The bytes of a file, read only, for as long as this lives, even when the name is removed
/// meanwhile. The file must not be cut or written to by others: reading what was cut off ends the
/// process (SIGBUS).
class Mapping {
 public:
  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  virtual ~Mapping() = default;

  /// Begins at a multiple of 64 bytes.
  [[nodiscard]] virtual std::span<const std::byte> bytes() const = 0;
};

/// The right to write to a directory, held until this is destroyed, or the process and the children
/// that it forked meanwhile end.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  virtual ~DirectoryLock() = default;
};

/// Names are of files in the directory, without a slash.
class Directory {
 public:
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  virtual ~Directory() = default;

  /// All names, those of folders too, in ascending order.
  [[nodiscard]] virtual Result<std::vector<std::string>> List() const = 0;
  [[nodiscard]] virtual Result<std::vector<std::byte>> Read(const std::string& name) const = 0;
  /// The bytes that the file has now, without copying them where that is possible.
  [[nodiscard]] virtual Result<std::shared_ptr<const Mapping>> Map(
      const std::string& name) const = 0;
  /// A new, empty file.
  virtual Result<std::unique_ptr<AppendFile>> Create(const std::string& name) = 0;
  /// Gives the file `from` the name `to` besides; all or nothing.
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& name) = 0;
  /// Makes all changes of names durable.
  virtual Status SyncNames() = 0;
  /// kFailedPrecondition, with what the holder wrote as `owner`, while someone else has the lock.
  virtual Result<std::unique_ptr<DirectoryLock>> Lock(const std::string& name,
                                                      const std::string& owner) = 0;
  /// For messages.
  [[nodiscard]] virtual std::string PathOf(const std::string& name) const = 0;
};

/// Removes a file that an attempt which was interrupted may have left.
inline Status RemoveIfThere(Directory* directory, const std::string& name) {
  Status removed = directory->Remove(name);
  return removed.os_error() == ENOENT ? Status::Ok() : removed;
}

}  // namespace forebay::storage
