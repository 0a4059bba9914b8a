// Whole files in and out, for what the core turns into bytes (models).
//
// Thread safety: free functions without shared state.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

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

}  // namespace forebay
