// Fuzzes the reader of manifests: the bytes as they are, and as the text of a manifest whose
// checksum is right. Whatever they are, it answers; what it takes, it writes and takes again.
//
//   build/asan/tests/forebay_manifest_fuzz tests/fuzz/corpus/manifest
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "table/manifest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace {

void Check(std::string_view text) {
  using forebay::table::ParseManifest;
  using forebay::table::SerializeManifest;
  const auto parsed = ParseManifest(std::as_bytes(std::span(text)), "fuzz");
  if (!parsed.ok()) {
    return;
  }
  const std::string again = SerializeManifest(*parsed);
  const auto reparsed = ParseManifest(std::as_bytes(std::span(again)), "fuzz");
  if (!reparsed.ok() || *reparsed != *parsed) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check(text);
  for (const int version : {1, 2}) {
    Check(fmt::format("forebay-manifest {} {:016x}\n{}", version, XXH3_64bits(data, size), text));
  }
  return 0;
}
