// Log files: what is written is read, and whatever happens to the bytes, nothing else is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/faulty_directory.h"
#include "wal/checksum.h"
#include "wal/wal_format.h"
#include "wal/wal_reader.h"
#include "wal/wal_writer.h"

namespace forebay {
namespace {

using ::testing::HasSubstr;
using wal::ParseWal;
using wal::WalContents;
using wal::WalIdentity;
using wal::WalRecord;
using wal::WalWriter;

constexpr WalIdentity kIdentity = {11, 22, 33, 5};

std::vector<std::byte> Payload(std::size_t size) {
  std::vector<std::byte> payload(size);
  for (std::size_t i = 0; i < size; ++i) {
    payload[i] = static_cast<std::byte>(i * 7 + size);
  }
  return payload;
}

/// A log in memory, and the records that it was given.
class WalTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    auto created = WalWriter::Create(&directory_, "log", kIdentity);
    ASSERT_TRUE(created.ok()) << created.status().ToString();
    writer_ = std::move(*created);
  }

  WalRecord Next(std::size_t payload_bytes) {
    payloads_.push_back(std::make_unique<std::vector<std::byte>>(Payload(payload_bytes)));
    const std::uint64_t i = payloads_.size();
    return {static_cast<std::uint32_t>(i % 3), kIdentity.first_sequence_number + i, 100 * i,
            *payloads_.back()};
  }

  /// One group, not synced.
  void Append(const std::vector<std::size_t>& sizes) {
    std::vector<WalRecord> group;
    for (const std::size_t size : sizes) {
      group.push_back(Next(size));
    }
    records_.insert(records_.end(), group.begin(), group.end());
    begins_.push_back(writer_->size());
    ASSERT_TRUE(writer_->Append(group).ok());
  }

  void AppendAndSync(const std::vector<std::size_t>& sizes) {
    Append(sizes);
    ASSERT_TRUE(writer_->Sync().ok());
  }

  [[nodiscard]] std::vector<std::byte> Bytes() const { return *directory_.Read("log"); }

  /// What was read is the first of what was written.
  void ExpectFirst(std::size_t count, const WalContents& contents) const {
    ASSERT_EQ(contents.records.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(contents.records[i].type, records_[i].type);
      EXPECT_EQ(contents.records[i].sequence_number, records_[i].sequence_number);
      EXPECT_EQ(contents.records[i].argument, records_[i].argument);
      EXPECT_TRUE(std::ranges::equal(contents.records[i].payload, records_[i].payload));
    }
  }

  FaultyDirectory directory_;
  std::unique_ptr<WalWriter> writer_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> payloads_;
  std::vector<WalRecord> records_;
  std::vector<std::uint64_t> begins_;  // Of the groups.
};

TEST_F(WalTest, ReadsBackWhatWasWritten) {
  AppendAndSync({0, 1, 7});
  AppendAndSync({8, 9, 1000});
  Append({64});
  const auto bytes = Bytes();
  const auto contents = ParseWal(bytes, "log");
  ASSERT_TRUE(contents.ok()) << contents.status().ToString();
  EXPECT_EQ(contents->identity, kIdentity);
  ExpectFirst(7, *contents);
  EXPECT_EQ(contents->valid_bytes, bytes.size());
  EXPECT_EQ(contents->torn_bytes, 0U);
  EXPECT_EQ(writer_->size(), bytes.size());
  EXPECT_LT(writer_->durable_size(), bytes.size());
}

TEST_F(WalTest, AnEmptyLog) {
  const auto bytes = Bytes();
  const auto contents = ParseWal(bytes, "log");
  ASSERT_TRUE(contents.ok());
  EXPECT_EQ(contents->identity, kIdentity);
  EXPECT_TRUE(contents->records.empty());
  EXPECT_EQ(contents->valid_bytes, sizeof(wal::FileHeader));
}

TEST_F(WalTest, EveryFlippedByteIsSeen) {
  for (const std::size_t size : {3U, 0U, 40U, 21U}) {
    AppendAndSync({size});
  }
  const auto bytes = Bytes();
  const std::uint64_t last = begins_.back();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto flipped = bytes;
    flipped[i] ^= std::byte{0x10};
    const auto contents = ParseWal(flipped, "log");
    if (i < last) {  // Later records say that this had been durable.
      ASSERT_FALSE(contents.ok()) << i;
      EXPECT_EQ(contents.error().code(), StatusCode::kCorruption) << i;
      EXPECT_THAT(contents.error().message(), HasSubstr("log: "));
    } else {
      ASSERT_TRUE(contents.ok()) << i;
      ExpectFirst(3, *contents);
      EXPECT_EQ(contents->valid_bytes, last);
      EXPECT_EQ(contents->torn_bytes, bytes.size() - last);
    }
  }
}

TEST_F(WalTest, EveryTruncationCutsRecords) {
  for (const std::size_t size : {3U, 0U, 40U, 21U}) {
    AppendAndSync({size});
  }
  const auto bytes = Bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto contents = ParseWal(std::span(bytes).first(size), "log");
    ASSERT_TRUE(contents.ok()) << size << ": " << contents.status().ToString();
    const auto whole = static_cast<std::size_t>(
        std::upper_bound(begins_.begin(), begins_.end(), size) - begins_.begin());
    ExpectFirst(whole == 0 ? 0 : whole - 1, *contents);
    EXPECT_EQ(contents->valid_bytes + contents->torn_bytes, size);
    EXPECT_EQ(contents->identity.has_value(), size >= sizeof(wal::FileHeader));
  }
}

TEST_F(WalTest, WhatWasNotSyncedMayBeTornAnywhere) {
  AppendAndSync({10});
  Append({20, 30});
  Append({40});  // Written later, and knows of no sync in between.
  const auto bytes = Bytes();
  const std::uint64_t torn = begins_[1];
  for (std::uint64_t from = torn; from < bytes.size(); from += 8) {
    auto zeroed = bytes;
    std::fill_n(zeroed.begin() + static_cast<std::ptrdiff_t>(from),
                std::min<std::size_t>(64, bytes.size() - from), std::byte{0});
    const auto contents = ParseWal(zeroed, "log");
    ASSERT_TRUE(contents.ok()) << from << ": " << contents.status().ToString();
    ASSERT_GE(contents->records.size(), 1U);
    ExpectFirst(contents->records.size(), *contents);
    EXPECT_LE(contents->valid_bytes, from);
    EXPECT_GE(contents->valid_bytes, torn);
  }
}

TEST_F(WalTest, RecordsOfAnotherLogAreNotRead) {
  AppendAndSync({10});
  const auto bytes = Bytes();
  ASSERT_TRUE(directory_.Remove("log").ok());
  Open();  // The same, with another salt.
  const auto header = Bytes();
  auto mixed = header;
  mixed.insert(mixed.end(), bytes.begin() + sizeof(wal::FileHeader), bytes.end());
  const auto contents = ParseWal(mixed, "log");
  ASSERT_TRUE(contents.ok());
  EXPECT_TRUE(contents->records.empty());
  EXPECT_EQ(contents->torn_bytes, mixed.size() - header.size());
}

TEST_F(WalTest, RecordsOutOfOrderAreCorrupt) {
  const WalRecord first = Next(1);
  const WalRecord second = Next(2);
  for (const auto& records : {std::vector{second, first}, std::vector{first, first}}) {
    FaultyDirectory directory;
    const auto writer = WalWriter::Create(&directory, "log", kIdentity);
    ASSERT_TRUE((*writer)->Append(records).ok());
    const auto bytes = *directory.Read("log");
    EXPECT_EQ(ParseWal(bytes, "log").status().code(), StatusCode::kCorruption);
  }
}

TEST_F(WalTest, RecordsBeforeTheFirstSequenceNumberAreCorrupt) {
  WalRecord early = Next(1);
  early.sequence_number = kIdentity.first_sequence_number - 1;
  ASSERT_TRUE(writer_->Append(std::vector{early}).ok());
  const auto bytes = Bytes();
  EXPECT_EQ(ParseWal(bytes, "log").status().code(), StatusCode::kCorruption);
}

TEST_F(WalTest, ARecordBehindMissingOnesIsCorrupt) {
  AppendAndSync({10});
  AppendAndSync({20});
  auto bytes = Bytes();
  bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(begins_[0]),
              bytes.begin() + static_cast<std::ptrdiff_t>(begins_[1]));
  const auto contents = ParseWal(bytes, "log");
  EXPECT_EQ(contents.status().code(), StatusCode::kCorruption);
  EXPECT_THAT(contents.status().message(), HasSubstr("missing"));
}

/// The log with a changed header, whose checksum is right.
std::vector<std::byte> WithHeader(std::vector<std::byte> bytes,
                                  const std::function<void(wal::FileHeader*)>& change) {
  wal::FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  change(&header);
  header.checksum = wal::Checksum(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST_F(WalTest, AnotherVersionIsUnsupported) {
  const auto other = WithHeader(Bytes(), [](wal::FileHeader* header) { header->version = 2; });
  EXPECT_EQ(ParseWal(other, "log").status().code(), StatusCode::kUnsupported);
}

TEST_F(WalTest, OtherFilesAreRefused) {
  for (const std::size_t size : {5U, 64U, 1000U}) {
    const auto other = Payload(size);
    EXPECT_EQ(ParseWal(other, "log").status().code(), StatusCode::kCorruption) << size;
  }
}

TEST_F(WalTest, AHeaderThatWasBeingWritten) {
  const auto whole = Bytes();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::vector<std::byte> zeros(size);
    const auto contents = ParseWal(zeros, "log");
    ASSERT_TRUE(contents.ok()) << size;
    EXPECT_FALSE(contents->identity.has_value());
    EXPECT_EQ(contents->torn_bytes, size);
  }
  const std::vector<std::byte> longer(whole.size() + 1);  // A header would have been durable.
  EXPECT_EQ(ParseWal(longer, "log").status().code(), StatusCode::kCorruption);
}

TEST_F(WalTest, AfterAFailureNothingMoreIsWritten) {
  for (const std::uint64_t which : {0U, 1U}) {  // The Append, the Sync.
    FaultyDirectory directory;
    auto writer = WalWriter::Create(&directory, "log", kIdentity);
    ASSERT_TRUE(writer.ok());
    directory.FailAt({.operation = directory.num_operations() + which, .error = EIO});
    const std::vector group = {Next(10)};
    EXPECT_EQ((*writer)->Append(group).ok(), which == 1);
    EXPECT_FALSE((*writer)->Sync().ok());
    const std::uint64_t operations = directory.num_operations();
    EXPECT_FALSE((*writer)->Append(group).ok());
    EXPECT_FALSE((*writer)->Sync().ok());
    EXPECT_EQ(directory.num_operations(), operations);
  }
}

}  // namespace
}  // namespace forebay
