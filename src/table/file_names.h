// The names of a table's files (docs/format.md). Others may lie beside them, and are left alone.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace forebay::table {

inline constexpr const char* kLockName = "LOCK";

std::string ManifestName(std::uint64_t number);
/// nullopt when it is not the name of a manifest.
std::optional<std::uint64_t> NumberOfManifest(std::string_view name);
/// Under which a manifest is written, before it gets its own name.
std::string TemporaryManifestName(std::uint64_t number, std::uint64_t random);
bool IsTemporaryManifestName(std::string_view name);

/// Of the log that the writer who publishes a manifest of this number begins.
std::string LogName(std::uint64_t manifest_number, std::uint64_t writer_epoch);
bool IsLogName(std::string_view name);

/// A file of a generation.
enum class GenerationPart : std::uint8_t { kRows, kIndex, kKeys };
std::string GenerationName(std::uint64_t generation, GenerationPart part);
/// Of the mask that a manifest of this number names first.
std::string MaskName(std::uint64_t generation, std::uint64_t manifest_number);
/// Of either.
bool IsGenerationName(std::string_view name);

std::string ModelName(std::uint64_t fingerprint);
bool IsModelName(std::string_view name);

}  // namespace forebay::table
