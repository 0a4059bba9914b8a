// Whole files in and out, for what the core turns into bytes: models and indexes.
//
// Thread safety: free functions without shared state.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "forebay/index.h"
#include "forebay/status.h"

namespace forebay {

/// The whole file. kIoError names the path and the system's reason.
Result<std::vector<std::byte>> ReadFile(const std::filesystem::path& path);

/// Replaces the file at `path`, or the one that a link there leads to, by one with these bytes and
/// the old one's permissions: written beside it, synced, renamed, the directory synced. kIoError
/// when one of these fails, or `path` is no regular file; an existing file is then as it was (but
/// when only the last sync failed: the new file is there, and may not survive a power cut), and
/// nothing else is left behind.
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
