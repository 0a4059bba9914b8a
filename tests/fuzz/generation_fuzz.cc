// Fuzzes the opening of a generation as a whole: files of any bytes, with the sums in the manifest
// that belong to them, are opened as a part of a table, with and without verifying. Whatever they
// are, opening answers; and what opens can be read in every way, and Verify says what it thinks of
// it. (The fuzzers of index, key and mask files correct the checksums in them.)
//
//   build/asan/tests/forebay_generation_fuzz tests/fuzz/corpus/generation
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "generation_parts.h"
#include "segment/segment_file.h"
#include "support/damaged_tables.h"
#include "table/file_names.h"
#include "table/manifest.h"

namespace forebay::testing {
namespace {

void Replace(std::vector<std::byte> bytes, segment::FileSum* sum, FaultyDirectory* directory) {
  sum->num_bytes = bytes.size();
  sum->checksum = segment::Checksum(bytes);
  directory->Overwrite(sum->name, std::move(bytes));
}

void OpenAndUse(std::span<const std::byte> input) {
  static const std::shared_ptr<FaultyDirectory> kWhole = MakeFuzzedTable();
  const DirectoryPtr directory = kWhole->AfterCrash(AfterPowerCut::kAll, 0);
  table::Manifest manifest = Value(table::LoadManifest(*directory));
  table::ManifestGeneration& generation = manifest.generations.front();
  GenerationParts parts = Split(input);
  Replace(std::move(parts[0]), &generation.rows, directory.get());
  Replace(std::move(parts[1]), &*generation.index, directory.get());
  Replace(std::move(parts[2]), &*generation.keys, directory.get());
  Replace(std::move(parts[3]), &*generation.mask, directory.get());
  const std::string text = table::SerializeManifest(manifest);
  const auto bytes = std::as_bytes(std::span(text));
  directory->Overwrite(table::ManifestName(manifest.number), {bytes.begin(), bytes.end()});
  for (const bool verify : {true, false}) {
    auto table = Open(directory, {.merge_fan_in = 0, .verify_on_open = verify});
    if (table.ok()) {
      UseInAllWays(FuzzedTable().kind, &*table);
      static_cast<void>(table->Verify());
    }
  }
}

}  // namespace
}  // namespace forebay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  forebay::testing::OpenAndUse(std::as_bytes(std::span(data, size)));
  return 0;
}
