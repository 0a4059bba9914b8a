// Manifests: what is published is loaded, once for each number, and damage is seen.
#include "table/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/faulty_directory.h"

namespace forebay {
namespace {

using table::LoadManifest;
using table::Manifest;
using table::ParseManifest;
using table::PublishManifest;
using table::SerializeManifest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Manifest Example(std::uint64_t number) {
  return {.number = number,
          .writer_epoch = 3 + number,
          .schema = {std::byte{0}, std::byte{255}, std::byte{7}},
          .vector_column = "embedding \"x\"",
          .primary_key = "w\xc3\xb6rd",
          .metric = Metric::kCosine,
          .model_fingerprint = 0xfedcba9876543210,
          .wal_floor = 12};
}

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(ManifestTest, ReadsBackWhatWasWritten) {
  Manifest without = Example(1);
  without.primary_key.reset();
  without.model_fingerprint.reset();
  without.metric = Metric::kDot;
  without.schema.clear();
  for (const Manifest& manifest : {Example(1), without}) {
    const std::string text = SerializeManifest(manifest);
    const auto parsed = ParseManifest(Bytes(text), "m");
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    EXPECT_EQ(*parsed, manifest);
  }
}

TEST(ManifestTest, EveryFlippedByteAndEveryCutIsSeen) {
  const std::string text = SerializeManifest(Example(7));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    const auto parsed = ParseManifest(Bytes(flipped), "the file");
    ASSERT_FALSE(parsed.ok()) << i;
    EXPECT_THAT(parsed.error().message(), HasSubstr("the file: "));
    const auto cut = ParseManifest(Bytes(text).first(i), "the file");
    EXPECT_EQ(cut.status().code(), StatusCode::kCorruption) << i;
  }
}

TEST(ManifestTest, AnotherVersionIsUnsupported) {
  std::string text = SerializeManifest(Example(7));
  text[text.find(" 1 ") + 1] = '2';
  EXPECT_EQ(ParseManifest(Bytes(text), "m").status().code(), StatusCode::kUnsupported);
}

TEST(ManifestTest, TheNewestHolds) {
  FaultyDirectory directory;
  EXPECT_EQ(LoadManifest(directory).status().code(), StatusCode::kFailedPrecondition);
  for (const std::uint64_t number : {1U, 2U, 10U}) {
    ASSERT_TRUE(PublishManifest(&directory, Example(number)).ok());
    const auto loaded = LoadManifest(directory);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ(*loaded, Example(number));
  }
  EXPECT_THAT(*directory.List(), ElementsAre("manifest-00000000000000000010"));
}

TEST(ManifestTest, ANumberIsGivenOnce) {
  FaultyDirectory directory;
  ASSERT_TRUE(PublishManifest(&directory, Example(1)).ok());
  Manifest other = Example(1);
  other.writer_epoch = 99;
  const Status second = PublishManifest(&directory, other);
  EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.message(), HasSubstr("another process"));
  EXPECT_EQ(*LoadManifest(directory), Example(1));
}

TEST(ManifestTest, OneThatWasAlteredIsNotPassedOver) {
  FaultyDirectory directory;
  ASSERT_TRUE(PublishManifest(&directory, Example(1)).ok());
  auto bytes = *directory.Read("manifest-00000000000000000001");
  bytes[bytes.size() / 2] ^= std::byte{1};
  directory.Overwrite("manifest-00000000000000000001", bytes);
  EXPECT_EQ(LoadManifest(directory).status().code(), StatusCode::kCorruption);
}

TEST(ManifestTest, OneUnderAnothersNameIsCorrupt) {
  FaultyDirectory directory;
  ASSERT_TRUE(PublishManifest(&directory, Example(1)).ok());
  ASSERT_TRUE(
      directory.Link("manifest-00000000000000000001", "manifest-00000000000000000005").ok());
  EXPECT_EQ(LoadManifest(directory).status().code(), StatusCode::kCorruption);
}

TEST(ManifestTest, AFullDiskChangesNothing) {
  FaultyDirectory directory;
  ASSERT_TRUE(PublishManifest(&directory, Example(1)).ok());
  const std::uint64_t first = directory.num_operations();
  for (std::uint64_t i = 0; i < 3; ++i) {  // Create, Append, Sync.
    directory.FailAt({.operation = directory.num_operations() + i, .error = ENOSPC});
    const Status status = PublishManifest(&directory, Example(2));
    EXPECT_EQ(status.os_error(), ENOSPC) << i;
    EXPECT_EQ(*LoadManifest(directory), Example(1));
  }
  ASSERT_GT(directory.num_operations(), first);
  EXPECT_TRUE(PublishManifest(&directory, Example(2)).ok());
  EXPECT_EQ(directory.List()->size(), 1U);  // What the failures left is gone too.
}

}  // namespace
}  // namespace forebay
