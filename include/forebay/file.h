// Whole files in and out: what the core turns into bytes (models, indexes), what rows are exported
// to.
//
// Thread safety: free functions without shared state; a NewFile belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "forebay/status.h"

namespace forebay {

/// The whole file. kIoError names the path and the system's reason.
Result<std::vector<std::byte>> ReadFile(const std::filesystem::path& path);

/// A file that takes its name when all of it has been written, and then has the permissions of the
/// one that it replaces. Errors are kIoError; after one, an existing file is as it was (but when
/// only the last sync failed: the new file is there, and may not survive a power cut).
class NewFile {
 public:
  /// Begins one beside `path`, or beside the file that a link there leads to. Fails also where that
  /// is no regular file.
  static Result<NewFile> Create(const std::filesystem::path& path);

  NewFile(NewFile&&) noexcept;
  NewFile& operator=(NewFile&&) noexcept;
  ~NewFile();  ///< Leaves nothing behind unless Finish has returned OK.

  Status Append(std::span<const std::byte> bytes);
  /// Synced, renamed, the directory synced. Once, and the last call.
  Status Finish();

  class Impl;  // For src/ only.

 private:
  explicit NewFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A NewFile of these bytes.
Status WriteFile(const std::filesystem::path& path, std::span<const std::byte> bytes);

/// Replaces the file, as WriteFile does, by one with the visible rows of the index and its model
/// (docs/format.md). Inserts may run meanwhile; what they add is left out.
Status WriteIndex(const std::filesystem::path& path, const IvfPqMemIndex& index);

/// The index in a file that WriteIndex wrote, mapped and read only: see IvfPqMemIndex::Open, also
/// for which options count. The whole file is checked, so opening reads it once. It may be replaced
/// or removed while the index is there, but not cut or written to: the system ends a process that
/// reads what is no longer there. kIoError names the path and the system's reason; kCorruption and
/// kUnsupported say what is wrong with the file.
Result<IvfPqMemIndex> OpenIndex(const std::filesystem::path& path, MemIndexOptions options = {});

}  // namespace forebay
