// A log is written while the power goes at each operation in turn; what was synced is there after.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "wal/wal_reader.h"
#include "wal/wal_writer.h"

namespace forebay {
namespace {

using wal::WalRecord;
using wal::WalWriter;

constexpr std::size_t kNumGroups = 6;
constexpr AfterPowerCut kWays[] = {AfterPowerCut::kNothing, AfterPowerCut::kAll,
                                   AfterPowerCut::kPartOfLastWrite, AfterPowerCut::kAnything};

/// Group i has i % 3 + 1 records.
std::vector<std::vector<std::byte>> PayloadsOf(std::size_t group) {
  std::vector<std::vector<std::byte>> payloads;
  for (std::size_t i = 0; i <= group % 3; ++i) {
    payloads.emplace_back(group * 50 + i, static_cast<std::byte>(group + i + 1));
  }
  return payloads;
}

/// Syncs after every second group. Returns the number of records that were acknowledged.
std::size_t Write(FaultyDirectory* directory) {
  auto writer = WalWriter::Create(directory, "log", {});
  if (!writer.ok()) {
    return 0;
  }
  std::size_t acknowledged = 0;
  std::size_t written = 0;
  std::uint64_t sequence_number = 0;
  for (std::size_t group = 0; group < kNumGroups; ++group) {
    const auto payloads = PayloadsOf(group);
    std::vector<WalRecord> records;
    for (const auto& payload : payloads) {
      records.push_back({1, sequence_number++, 0, payload});
    }
    written += records.size();
    if (!(*writer)->Append(records).ok() || (group % 2 == 1 && !(*writer)->Sync().ok())) {
      return acknowledged;
    }
    acknowledged = group % 2 == 1 ? written : acknowledged;
  }
  return acknowledged;
}

std::vector<std::vector<std::byte>> AllPayloads() {
  std::vector<std::vector<std::byte>> all;
  for (std::size_t group = 0; group < kNumGroups; ++group) {
    for (auto& payload : PayloadsOf(group)) {
      all.push_back(std::move(payload));
    }
  }
  return all;
}

/// At least `acknowledged` records, and no others than those that were written.
void ExpectRecords(const FaultyDirectory& directory, std::size_t acknowledged) {
  const auto bytes = directory.Read("log");
  if (!bytes.ok()) {
    EXPECT_EQ(acknowledged, 0U);
    return;
  }
  const auto contents = wal::ParseWal(*bytes, "log");
  ASSERT_TRUE(contents.ok()) << contents.status().ToString();
  const auto all = AllPayloads();
  EXPECT_GE(contents->records.size(), acknowledged);
  ASSERT_LE(contents->records.size(), all.size());
  for (std::size_t i = 0; i < contents->records.size(); ++i) {
    EXPECT_EQ(contents->records[i].sequence_number, i);
    EXPECT_TRUE(std::ranges::equal(contents->records[i].payload, all[i]));
  }
}

TEST(WalCrashTest, WhatWasSyncedIsThere) {
  FaultyDirectory whole;
  ASSERT_EQ(Write(&whole), AllPayloads().size());
  const std::uint64_t num_operations = whole.num_operations();
  ASSERT_GT(num_operations, kNumGroups);
  for (std::uint64_t operation = 0; operation < num_operations; ++operation) {
    for (const AfterPowerCut way : kWays) {
      for (std::uint32_t seed = 0; seed < (way == AfterPowerCut::kAnything ? 20U : 3U); ++seed) {
        SCOPED_TRACE(::testing::Message() << "operation " << operation << ", way "
                                          << static_cast<int>(way) << ", seed " << seed);
        FaultyDirectory directory;
        directory.CrashAt(operation);
        const std::size_t acknowledged = Write(&directory);
        const auto next = directory.AfterCrash(way, seed);
        ExpectRecords(*next, acknowledged);
        if (HasFailure()) {
          return;
        }
      }
    }
  }
}

}  // namespace
}  // namespace forebay
