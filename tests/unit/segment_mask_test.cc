// Mask files: dead rows come back, damage is told.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "segment/mask_file.h"
#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/segment_files.h"

namespace forebay {
namespace {

using segment::FileSum;
using segment::ReadMask;
using segment::WriteMask;
using testing::FailsWith;
using testing::FileBytes;
using testing::IsInvalid;
using testing::Mapped;
using testing::Value;
using Words = std::vector<std::uint64_t>;

FileBytes Written(const Words& words, std::uint32_t num_rows) {
  FaultyDirectory directory;
  static_cast<void>(Value(WriteMask(&directory, "mask", words, num_rows)));
  return Value(directory.Read("mask"));
}

void ExpectRoundTrip(const Words& words, std::uint32_t num_rows) {
  EXPECT_EQ(Value(ReadMask(*Mapped(Written(words, num_rows)), num_rows)), words) << num_rows;
}

Words Every(std::uint32_t step, std::uint32_t num_rows) {
  Words words((num_rows + 63) / 64);
  for (std::uint64_t row = 0; row < num_rows; row += step) {
    words[row / 64] |= std::uint64_t{1} << (row % 64);
  }
  return words;
}

TEST(SegmentMaskTest, RoundTrips) {
  for (const std::uint32_t num_rows : {0U, 1U, 63U, 64U, 65U, 70'000U, 200'000U}) {
    ExpectRoundTrip(Words((num_rows + 63) / 64), num_rows);  // None.
    for (const std::uint32_t step : {1U, 2U, 3U, 64U, 1000U, 65'536U}) {
      ExpectRoundTrip(Every(step, num_rows), num_rows);
    }
  }
  std::mt19937_64 random(1);
  Words words(3000);
  for (std::uint64_t& word : words) {
    word = random() & random() & random();
  }
  ExpectRoundTrip(words, 192'000);
}

TEST(SegmentMaskTest, IsSmall) {
  EXPECT_LT(Written(Every(1, 1'000'000), 1'000'000).size(), 500U);
  EXPECT_LT(Written(Every(10'000, 1'000'000), 1'000'000).size(), 500U);
}

TEST(SegmentMaskTest, WordsThatAreMissingHaveNone) {
  EXPECT_EQ(Value(ReadMask(*Mapped(Written({5}, 200)), 200)), (Words{5, 0, 0, 0}));
  EXPECT_EQ(Value(ReadMask(*Mapped(Written({5, 0, 0}, 3)), 3)), (Words{5}));
}

TEST(SegmentMaskTest, ABitOfNoRowIsRefused) {
  FaultyDirectory directory;
  EXPECT_THAT(WriteMask(&directory, "mask", Words{8}, 3), IsInvalid("3 rows"));
  EXPECT_THAT(WriteMask(&directory, "mask", Words{0, 0, 1}, 64), IsInvalid("64 rows"));
  EXPECT_EQ(directory.num_operations(), 0U);
}

TEST(SegmentMaskTest, OtherRowsAreTold) {
  EXPECT_THAT(ReadMask(*Mapped(Written({5}, 64)), 63),
              FailsWith(StatusCode::kCorruption, "expected 63, got 64"));
}

TEST(SegmentMaskTest, DamageIsTold) {
  Words words = Every(7, 300);
  words.resize(3000);
  words[2000] = ~std::uint64_t{0};
  FaultyDirectory directory;
  const FileSum sum = Value(WriteMask(&directory, "mask", words, 192'000));
  const FileBytes bytes = Value(directory.Read("mask"));
  testing::ExpectDamageIsSeen(sum, bytes);
  testing::ForEachDamage(bytes, [](const FileBytes& altered) {
    EXPECT_EQ(ReadMask(*Mapped(altered), 192'000).status().code(), StatusCode::kCorruption);
  });
}

/// The bytes with the checksums that belong to them.
FileBytes Repaired(FileBytes bytes) {
  const auto set = [&](std::size_t at, std::uint64_t number) {
    std::memcpy(bytes.data() + at, &number, sizeof(number));
  };
  set(24, bytes.size() - 64);
  set(32, segment::Checksum(std::span(bytes).subspan(64)));
  set(56, segment::Checksum(std::span(bytes).first(56)));
  return bytes;
}

TEST(SegmentMaskTest, BitmapsThatAreNone) {
  const Words words = Every(3, 300);
  const FileBytes bytes = Written(words, 300);
  ASSERT_EQ(Repaired(bytes), bytes);
  testing::ForEachDamage(bytes, [&](const FileBytes& altered) {
    if (altered.size() < 64) {
      return;
    }
    const auto mask = ReadMask(*Mapped(Repaired(altered)), 300);
    if (mask.ok()) {
      EXPECT_EQ(mask->size(), words.size());
    } else {
      EXPECT_EQ(mask.status().code(), StatusCode::kCorruption);
    }
  });
}

TEST(SegmentMaskTest, FaultsAreTold) {
  testing::ExpectFaultsAreTold(
      [](storage::Directory* directory) { return WriteMask(directory, "mask", Words{5}, 64); });
}

}  // namespace
}  // namespace forebay
