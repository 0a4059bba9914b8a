// Manifests: what is published is loaded, once for each number, and damage is seen.
#include "table/manifest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace forebay {
namespace {

using table::LoadManifest;
using table::Manifest;
using table::ParseManifest;
using table::PublishManifest;
using table::SerializeManifest;
using ::testing::AnyOf;
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
          .model_quantization_error = 1.0 / 3.0,
          .generations = {{.number = 3,
                           .num_rows = 4'294'967'295,
                           .num_dead = 5,
                           .rows = {"generation-3-rows", 1000, 0x8000000000000001},
                           .index = segment::FileSum{"generation-3-index", 64, 7},
                           .model_fingerprint = 0xfedcba9876543211,
                           .quantization_error = 0.1,
                           .keys = segment::FileSum{"generation-3-keys", 8, 9},
                           .mask = segment::FileSum{"generation-3-mask", 1, 2}},
                          {.number = 2, .num_rows = 1, .rows = {"generation-2-rows", 1, 1}}},
          .next_generation = 4,
          .sequence_number = 77,
          .next_row_id = 88,
          .logs = {{"wal-11", 4096}, {"wal-12", 64 + number}}};
}

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(ManifestTest, ReadsBackWhatWasWritten) {
  Manifest without = Example(1);
  without.primary_key.reset();
  without.model_fingerprint.reset();
  without.metric = Metric::kDot;
  without.schema.clear();
  without.logs.clear();
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
  const std::string text = SerializeManifest(Example(7));
  for (const std::string version : {"0", "3", "20"}) {
    std::string other = text;
    other.replace(text.find(" 2 ") + 1, 1, version);
    EXPECT_EQ(ParseManifest(Bytes(other), "m").status().code(), StatusCode::kUnsupported);
  }
}

/// With the text between braces as the JSON, and its checksum.
Result<Manifest> ParseJson(const std::string& json, int version) {
  const std::string text = fmt::format("forebay-manifest {} {:016x}\n{}", version,
                                       XXH3_64bits(json.data(), json.size()), json);
  return ParseManifest(Bytes(text), "m");
}

Status StatusOfJson(const std::string& json) { return ParseJson(json, 2).status(); }

TEST(ManifestTest, WhatCouldNotBeFlushedHasNoGenerations) {
  const auto parsed = ParseJson(R"({"number": 5, "writer_epoch": 2, "vector_column": "v",
      "primary_key": null, "metric": "l2", "model_fingerprint": null,
      "logs": [{"name": "wal-1", "durable_bytes": 72}], "schema": "AAAA"})",
                                1);
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  const Manifest expected = {.number = 5,
                             .writer_epoch = 2,
                             .schema = std::vector<std::byte>(3),
                             .vector_column = "v",
                             .logs = {{"wal-1", 72}}};
  EXPECT_EQ(*parsed, expected);
}

TEST(ManifestTest, OtherJsonIsRefused) {
  const std::string text = SerializeManifest(Example(7));
  const std::string good = text.substr(text.find('\n') + 1);
  ASSERT_TRUE(StatusOfJson(good).ok());
  const std::pair<std::string, std::string> changes[] = {
      {"\"number\": 7", "\"number\": -7"},
      {"\"number\": 7", "\"number\": 7.5"},
      {"\"number\": 7", "\"number\": 1e300"},
      {"\"number\": 7", "\"number\": 18446744073709551616"},
      {"\"number\": 7", "\"number\": \"7\""},
      {"\"number\": 7", "\"digit\": 7"},
      {"\"cosine\"", "\"cosinus\""},
      {"\"fedcba9876543210\"", "\"fedcba987654321x\""},
      {"\"fedcba9876543210\"", "12"},
      {"\"durable_bytes\": 4096", "\"durable_bytes\": null"},
      {"\"logs\": [", "\"logs\": [5,"},
      {"\"generations\": [", "\"generations\": [{},"},
      {"\"num_rows\": 4294967295", "\"num_rows\": 4294967296"},
      {"\"8000000000000001\"", "\"8000000000000001f\""},
      {"\"bytes\": 1000", "\"bytes\": null"},
      {"\"fedcba9876543211\"", "null"},
      {"\"next_row_id\": 88", "\"next_row\": 88"},
  };
  for (const auto& [from, to] : changes) {
    std::string json = good;
    ASSERT_NE(json.find(from), std::string::npos) << from;
    json.replace(json.find(from), from.size(), to);
    const Status status = StatusOfJson(json);
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << to;
    EXPECT_THAT(status.message(), HasSubstr("expected ")) << to;
  }
  for (const std::string json : {"", "[]", "7", "{", "{}"}) {
    EXPECT_EQ(StatusOfJson(json).code(), StatusCode::kCorruption) << json;
  }
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

TEST(ManifestTest, ANumberThatIsFreeAgainIsNotTaken) {
  FaultyDirectory directory;
  ASSERT_TRUE(PublishManifest(&directory, Example(5)).ok());  // Which removes those before it.
  EXPECT_EQ(PublishManifest(&directory, Example(4)).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(*LoadManifest(directory), Example(5));
  EXPECT_EQ(directory.List()->size(), 1U);
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

TEST(ManifestTest, WhateverFailsOneOfBothHolds) {
  FaultyDirectory counted;
  ASSERT_TRUE(PublishManifest(&counted, Example(1)).ok());
  const std::uint64_t first = counted.num_operations();
  ASSERT_TRUE(PublishManifest(&counted, Example(2)).ok());
  const std::uint64_t last = counted.num_operations();
  for (std::uint64_t operation = first; operation < last; ++operation) {
    for (const bool for_good : {false, true}) {
      FaultyDirectory directory;
      ASSERT_TRUE(PublishManifest(&directory, Example(1)).ok());
      directory.FailAt({.operation = operation, .error = ENOSPC, .for_good = for_good});
      const Status status = PublishManifest(&directory, Example(2));
      const auto loaded = LoadManifest(directory);
      ASSERT_TRUE(loaded.ok()) << operation << ": " << loaded.status().ToString();
      if (status.ok()) {
        EXPECT_EQ(*loaded, Example(2)) << operation;
      } else {
        EXPECT_EQ(status.os_error(), ENOSPC) << operation;
        EXPECT_THAT(loaded->number, AnyOf(1U, 2U)) << operation;
      }
      directory.FailAt({});
      ASSERT_TRUE(PublishManifest(&directory, Example(loaded->number + 1)).ok());
      EXPECT_EQ(directory.List()->size(), 1U) << operation;  // What the failure left is gone too.
    }
  }
}

}  // namespace
}  // namespace forebay
