// Manifests are published while the power goes at each operation in turn: the newest one that was
// acknowledged holds, or the next.
#include <gtest/gtest.h>

#include <cstdint>

#include "support/faulty_directory.h"
#include "table/manifest.h"

namespace forebay {
namespace {

using table::Manifest;

constexpr std::uint64_t kNumManifests = 3;
constexpr AfterPowerCut kWays[] = {AfterPowerCut::kNothing, AfterPowerCut::kAll,
                                   AfterPowerCut::kPartOfLastWrite, AfterPowerCut::kAnything};

Manifest Example(std::uint64_t number) {
  return {.number = number,
          .writer_epoch = 7 * number,
          .vector_column = "v",
          .logs = {{"log", 64 * number}}};
}

/// The number of the last one that was acknowledged.
std::uint64_t Publish(FaultyDirectory* directory) {
  for (std::uint64_t number = 1; number <= kNumManifests; ++number) {
    if (!table::PublishManifest(directory, Example(number)).ok()) {
      return number - 1;
    }
  }
  return kNumManifests;
}

TEST(ManifestCrashTest, TheNewestThatWasAcknowledgedHolds) {
  FaultyDirectory whole;
  ASSERT_EQ(Publish(&whole), kNumManifests);
  for (std::uint64_t operation = 0; operation < whole.num_operations(); ++operation) {
    for (const AfterPowerCut way : kWays) {
      for (std::uint32_t seed = 0; seed < 20; ++seed) {
        SCOPED_TRACE(::testing::Message() << "operation " << operation << ", way "
                                          << static_cast<int>(way) << ", seed " << seed);
        FaultyDirectory directory;
        directory.CrashAt(operation);
        const std::uint64_t acknowledged = Publish(&directory);
        const auto next = directory.AfterCrash(way, seed);
        const auto loaded = table::LoadManifest(*next);
        if (!loaded.ok()) {
          ASSERT_EQ(acknowledged, 0U) << loaded.status().ToString();
          ASSERT_EQ(loaded.error().code(), StatusCode::kFailedPrecondition);
        } else {
          ASSERT_GE(loaded->number, acknowledged);
          ASSERT_LE(loaded->number, acknowledged + 1);
          ASSERT_EQ(*loaded, Example(loaded->number));
        }
        const std::uint64_t number = loaded.ok() ? loaded->number + 1 : 1;
        ASSERT_TRUE(table::PublishManifest(next.get(), Example(number)).ok());
        ASSERT_EQ(*table::LoadManifest(*next), Example(number));
      }
    }
  }
}

}  // namespace
}  // namespace forebay
