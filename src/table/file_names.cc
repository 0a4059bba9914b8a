#include "table/file_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace forebay::table {
namespace {

/// '0' stands for a digit, 'x' for a hexadecimal one, all else for itself.
bool Matches(std::string_view name, std::string_view pattern) {
  return std::equal(name.begin(), name.end(), pattern.begin(), pattern.end(), [](char c, char p) {
    const bool digit = c >= '0' && c <= '9';
    return p == '0' ? digit : (p == 'x' ? digit || (c >= 'a' && c <= 'f') : c == p);
  });
}

}  // namespace

std::string ManifestName(std::uint64_t number) { return fmt::format("manifest-{:020}", number); }

std::optional<std::uint64_t> NumberOfManifest(std::string_view name) {
  if (!Matches(name, "manifest-00000000000000000000")) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const std::string_view digits = name.substr(name.find('-') + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::string TemporaryManifestName(std::uint64_t number, std::uint64_t random) {
  return fmt::format("{}-{:016x}.tmp", ManifestName(number), random);
}

bool IsTemporaryManifestName(std::string_view name) {
  return Matches(name, "manifest-00000000000000000000-xxxxxxxxxxxxxxxx.tmp");
}

std::string LogName(std::uint64_t manifest_number, std::uint64_t writer_epoch) {
  return fmt::format("wal-{:020}-{:020}", manifest_number, writer_epoch);
}

bool IsLogName(std::string_view name) {
  return Matches(name, "wal-00000000000000000000-00000000000000000000");
}

std::string GenerationName(std::uint64_t generation, GenerationPart part) {
  static constexpr std::array kSuffixes = {"rows.arrow", "index", "keys"};
  return fmt::format("generation-{:020}-{}", generation,
                     kSuffixes.at(static_cast<std::size_t>(part)));
}

std::string MaskName(std::uint64_t generation, std::uint64_t manifest_number) {
  return fmt::format("generation-{:020}-mask-{:020}", generation, manifest_number);
}

bool IsGenerationName(std::string_view name) {
  return Matches(name, "generation-00000000000000000000-rows.arrow") ||
         Matches(name, "generation-00000000000000000000-keys") ||
         Matches(name, "generation-00000000000000000000-mask-00000000000000000000") ||
         (name.ends_with("-index") &&
          Matches(name.substr(0, name.size() - 6), "generation-00000000000000000000"));
}

std::string ModelName(std::uint64_t fingerprint) {
  return fmt::format("model-{:016x}", fingerprint);
}

bool IsModelName(std::string_view name) { return Matches(name, "model-xxxxxxxxxxxxxxxx"); }

}  // namespace forebay::table
