// Key files: every key is found and no other, damage is told.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "segment/key_file.h"
#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/segment_files.h"

namespace forebay {
namespace {

using segment::FileSum;
using segment::KeyFile;
using segment::KeyKind;
using segment::WriteKeys;
using testing::FailsWith;
using testing::FileBytes;
using testing::IsInvalid;
using testing::Mapped;
using testing::Value;
using Keys = std::vector<std::pair<std::string, std::uint32_t>>;

std::string Integer(std::uint64_t value) {
  std::string key(sizeof(value), '\0');
  std::memcpy(key.data(), &value, sizeof(value));
  return key;
}

std::uint64_t Number(std::string_view key) {
  std::uint64_t value = 0;
  std::memcpy(&value, key.data(), sizeof(value));
  return value;
}

FileBytes Written(KeyKind kind, const Keys& keys) {
  FaultyDirectory directory;
  static_cast<void>(Value(WriteKeys(&directory, "keys", kind, keys)));
  return Value(directory.Read("keys"));
}

KeyFile Opened(FileBytes bytes, std::uint32_t num_rows) {
  return Value(KeyFile::Open(Mapped(std::move(bytes)), /*verify=*/true, num_rows));
}

/// The keys with the ordinals 0, 1, ... in a random order.
Keys Numbered(std::vector<std::string> keys, std::mt19937_64* random) {
  std::shuffle(keys.begin(), keys.end(), *random);
  Keys numbered;
  for (std::string& key : keys) {
    numbered.emplace_back(std::move(key), static_cast<std::uint32_t>(numbered.size()));
  }
  return numbered;
}

void ExpectHasAll(const KeyFile& file, KeyKind kind, Keys keys) {
  ASSERT_EQ(file.size(), keys.size());
  for (const auto& [key, ordinal] : keys) {
    ASSERT_EQ(file.Find(key), ordinal) << key;
  }
  std::sort(keys.begin(), keys.end(), [kind](const auto& a, const auto& b) {
    return kind == KeyKind::kInteger64 ? Number(a.first) < Number(b.first) : a.first < b.first;
  });
  Keys read;
  file.ForEach(
      [&](std::string_view key, std::uint32_t ordinal) { read.emplace_back(key, ordinal); });
  EXPECT_EQ(read, keys);
}

TEST(SegmentKeysTest, Integers) {
  std::mt19937_64 random(1);
  for (const std::size_t count : {0U, 1U, 2U, 63U, 64U, 65U, 128U, 129U, 20'000U}) {
    for (const unsigned shift : {0U, 40U, 56U}) {  // All over, and close together.
      std::map<std::uint64_t, bool> values;
      while (values.size() < std::min<std::size_t>(count, std::size_t{1} << 7U << (56 - shift))) {
        values[random() >> shift] = true;
      }
      if (count > 1) {
        values.erase(values.begin());
        values[std::numeric_limits<std::uint64_t>::max()] = true;
      }
      std::vector<std::string> texts;
      for (const auto& [value, is_there] : values) {
        texts.push_back(Integer(value));
      }
      const Keys keys = Numbered(texts, &random);
      const KeyFile file = Opened(Written(KeyKind::kInteger64, keys), 20'000);
      ExpectHasAll(file, KeyKind::kInteger64, keys);
      for (int i = 0; i < 1000; ++i) {
        const std::uint64_t value = random() >> shift;
        ASSERT_EQ(file.Find(Integer(value)).has_value(), values.contains(value));
      }
      for (const auto& [value, is_there] : values) {
        ASSERT_EQ(file.Find(Integer(value + 1)).has_value(), values.contains(value + 1));
        ASSERT_EQ(file.Find(Integer(value - 1)).has_value(), values.contains(value - 1));
      }
    }
  }
}

TEST(SegmentKeysTest, IntegersAreInTheOrderOfU64) {
  const std::uint64_t high = std::uint64_t{1} << 63U;
  const Keys keys = {
      {Integer(high + 1), 0}, {Integer(1), 1}, {Integer(256), 2}, {Integer(high), 3}};
  const KeyFile file = Opened(Written(KeyKind::kInteger64, keys), 4);
  std::vector<std::uint64_t> read;
  file.ForEach([&](std::string_view key, std::uint32_t) { read.push_back(Number(key)); });
  EXPECT_EQ(read, (std::vector<std::uint64_t>{1, 256, high, high + 1}));
  EXPECT_EQ(file.Find(Integer(high)), 3U);
  EXPECT_EQ(file.Find("1234567"), std::nullopt);
  EXPECT_EQ(file.Find(""), std::nullopt);
}

/// Texts with long common beginnings, zeros, and one the beginning of another.
std::vector<std::string> Texts(std::size_t count, const std::string& prefix,
                               std::mt19937_64* random) {
  std::vector<std::string> texts = {prefix};
  while (texts.size() < count) {
    std::string text = prefix;
    const std::size_t length = (*random)() % 24;
    for (std::size_t i = 0; i < length; ++i) {
      text += static_cast<char>((*random)() % 3 == 0 ? (*random)() % 256 : (*random)() % 2);
    }
    texts.push_back(std::move(text));
    texts.push_back(texts.back() + '\0');
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  }
  return texts;
}

TEST(SegmentKeysTest, Strings) {
  std::mt19937_64 random(1);
  for (const std::size_t count : {1U, 2U, 64U, 65U, 1000U}) {
    for (const std::string& prefix : {std::string(), std::string("https://example.org/\0a", 22)}) {
      const std::vector<std::string> texts = Texts(count, prefix, &random);
      const Keys keys = Numbered(texts, &random);
      const KeyFile file = Opened(Written(KeyKind::kString, keys), 2000);
      ExpectHasAll(file, KeyKind::kString, keys);
      for (const std::string& other : Texts(200, prefix, &random)) {
        const bool is_there = std::binary_search(texts.begin(), texts.end(), other);
        ASSERT_EQ(file.Find(other).has_value(), is_there);
      }
      EXPECT_EQ(file.Find("zzz"), std::nullopt);
      EXPECT_EQ(file.Find(prefix.substr(0, prefix.size() / 2)).has_value(), prefix.empty());
    }
  }
}

TEST(SegmentKeysTest, OneKeyAndNone) {
  EXPECT_EQ(Opened(Written(KeyKind::kString, {}), 0).Find(""), std::nullopt);
  EXPECT_EQ(Opened(Written(KeyKind::kInteger64, {}), 0).Find(Integer(0)), std::nullopt);
  EXPECT_EQ(Opened(Written(KeyKind::kString, {{"", 7}}), 8).Find(""), 7U);
  EXPECT_EQ(Opened(Written(KeyKind::kString, {{"", 7}}), 8).Find("x"), std::nullopt);
}

TEST(SegmentKeysTest, KeysThatAreRefused) {
  FaultyDirectory directory;
  EXPECT_THAT(WriteKeys(&directory, "keys", KeyKind::kString, {{"a", 0}, {"b", 1}, {"a", 2}}),
              IsInvalid("once"));
  EXPECT_THAT(WriteKeys(&directory, "keys", KeyKind::kInteger64, {{"1234567", 0}}),
              IsInvalid("8 bytes"));
  EXPECT_EQ(directory.num_operations(), 0U);
}

Keys SomeKeys(KeyKind kind) {
  Keys keys;
  for (std::uint32_t i = 0; i < 70; ++i) {
    const std::uint64_t value = (std::uint64_t{i} * i) << 30U;
    keys.emplace_back(kind == KeyKind::kInteger64 ? Integer(value) : "key " + std::to_string(value),
                      i);
  }
  return keys;
}

class SegmentKeysDamageTest : public ::testing::TestWithParam<KeyKind> {};

TEST_P(SegmentKeysDamageTest, IsTold) {
  const Keys keys = SomeKeys(GetParam());
  FaultyDirectory directory;
  const FileSum sum = Value(WriteKeys(&directory, "keys", GetParam(), keys));
  const FileBytes bytes = Value(directory.Read("keys"));
  testing::ExpectDamageIsSeen(sum, bytes);
  testing::ForEachDamage(bytes, [&](const FileBytes& altered) {
    const auto mapping = Mapped(altered);
    const auto verified = KeyFile::Open(mapping, /*verify=*/true, 70);
    const auto file = KeyFile::Open(mapping, /*verify=*/false, 70);
    for (const auto& opened : {verified, file}) {
      if (!opened.ok()) {
        EXPECT_EQ(opened.status().code(), StatusCode::kCorruption);
        continue;
      }
      for (const auto& [key, ordinal] : keys) {
        EXPECT_LT(opened->Find(key).value_or(0), 70U);
      }
      opened->ForEach([](std::string_view, std::uint32_t ordinal) { EXPECT_LT(ordinal, 70U); });
    }
  });
}

TEST_P(SegmentKeysDamageTest, OrdinalsAreOfRows) {
  const FileBytes bytes = Written(GetParam(), SomeKeys(GetParam()));
  EXPECT_THAT(KeyFile::Open(Mapped(bytes), /*verify=*/true, 69),
              FailsWith(StatusCode::kCorruption, "row 69"));
  const KeyFile file = Value(KeyFile::Open(Mapped(bytes), /*verify=*/false, 69));
  EXPECT_EQ(file.Find(SomeKeys(GetParam())[69].first), std::nullopt);
}

TEST_P(SegmentKeysDamageTest, FaultsAreTold) {
  testing::ExpectFaultsAreTold([](storage::Directory* directory) {
    return WriteKeys(directory, "keys", GetParam(), SomeKeys(GetParam()));
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, SegmentKeysDamageTest,
                         ::testing::Values(KeyKind::kInteger64, KeyKind::kString),
                         [](const auto& kind) {
                           return kind.param == KeyKind::kString ? "String" : "Integer";
                         });

}  // namespace
}  // namespace forebay
