// Writers that come together share a sync, and what was acknowledged to any of them is durable,
// also when a sync fails or the table is closed meanwhile.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "support/slow_sync_directory.h"
#include "support/table_batches.h"

namespace forebay::testing {
namespace {

using namespace std::chrono_literals;

/// Puts batches until one fails; the numbers of those that were acknowledged.
std::vector<std::int64_t> PutUntilFailure(Table* table, std::size_t writer,
                                          std::int64_t num_batches, Status* failure) {
  std::vector<std::int64_t> acknowledged;
  for (std::int64_t number = 1; number <= num_batches; ++number) {
    std::vector<TableRow> rows = RowsOfBatch(writer, number);
    for (TableRow& row : rows) {
      row.key += static_cast<std::uint64_t>(number) * 10'000;  // Nothing is replaced.
    }
    const auto report = table->Put(*BatchOf(kKind, rows));
    if (!report.ok()) {
      *failure = report.status();
      break;
    }
    acknowledged.push_back(number);
  }
  return acknowledged;
}

/// What several writers were told.
struct Acknowledged {
  std::vector<std::vector<std::int64_t>> numbers;
  std::vector<Status> failures;
};

Acknowledged PutTogether(Table* table, std::size_t num_writers, std::int64_t num_batches) {
  Acknowledged acknowledged = {.numbers = std::vector<std::vector<std::int64_t>>(num_writers),
                               .failures = std::vector<Status>(num_writers)};
  {
    std::vector<std::jthread> writers;
    for (std::size_t i = 0; i < num_writers; ++i) {
      writers.emplace_back([&acknowledged, table, num_batches, i] {
        acknowledged.numbers[i] = PutUntilFailure(table, i, num_batches, &acknowledged.failures[i]);
      });
    }
  }
  return acknowledged;
}

/// Each batch is there as a whole or not at all, once, and all that were acknowledged are.
void CheckBatches(const Table& table, const Acknowledged& acknowledged) {
  std::map<std::pair<std::size_t, std::int64_t>, std::size_t> num_rows;
  for (const auto& [row_id, row] : Contents(table)) {
    ++num_rows[{row.key % 10'000 / kBatchRows, row.number}];
  }
  for (const auto& [batch, count] : num_rows) {
    EXPECT_EQ(count, kBatchRows) << "batch " << batch.second << " of writer " << batch.first;
  }
  std::size_t num_acknowledged = 0;
  for (std::size_t writer = 0; writer < acknowledged.numbers.size(); ++writer) {
    for (const std::int64_t number : acknowledged.numbers[writer]) {
      EXPECT_TRUE(num_rows.contains({writer, number})) << "batch " << number << " is lost";
      ++num_acknowledged;
    }
  }
  // Each writer has one more under way at most.
  EXPECT_LE(num_rows.size(), num_acknowledged + acknowledged.numbers.size());
}

TEST(TableGroupCommitTest, PutsShareSyncs) {
  constexpr std::size_t kManyWriters = 8;
  constexpr std::int64_t kNumBatches = 30;
  const auto memory = std::make_shared<FaultyDirectory>();
  const auto slow = std::make_shared<SlowSyncDirectory>(memory, 2ms);
  Table table = Make(slow);
  const std::uint64_t before = slow->num_syncs();
  const Acknowledged acknowledged = PutTogether(&table, kManyWriters, kNumBatches);
  const std::uint64_t num_syncs = slow->num_syncs() - before;
  for (const Status& failure : acknowledged.failures) {
    EXPECT_TRUE(failure.ok()) << failure.ToString();
  }
  // While one group syncs, most of the other writers queue.
  EXPECT_LT(num_syncs, kManyWriters * kNumBatches / 2);
  EXPECT_GE(num_syncs, static_cast<std::uint64_t>(kNumBatches));
  EXPECT_EQ(table.stats()->num_syncs, num_syncs);
  EXPECT_EQ(table.stats()->sequence_number, kManyWriters * kNumBatches);
  CheckBatches(Reopen(memory->AfterCrash(AfterPowerCut::kNothing, 0)), acknowledged);
}

TEST(TableGroupCommitTest, WhatWasAcknowledgedBeforeASyncFailedIsThere) {
  for (std::uint64_t operation = 40; operation < 100; operation += 7) {
    const auto directory = std::make_shared<FaultyDirectory>();
    directory->FailAt({.operation = operation, .error = EIO});
    Acknowledged acknowledged;
    {
      Table table = Make(directory);
      acknowledged = PutTogether(&table, kNumWriters, 100);
      CheckBatches(table, acknowledged);
    }
    for (const Status& failure : acknowledged.failures) {
      EXPECT_FALSE(failure.ok()) << "a put after one that failed";
    }
    for (const AfterPowerCut left : {AfterPowerCut::kNothing, AfterPowerCut::kAnything}) {
      CheckBatches(Reopen(directory->AfterCrash(left, 1)), acknowledged);
    }
    CheckBatches(Reopen(directory), acknowledged);
  }
}

void CloseWhileOthersWrite(const TableOptions& options) {
  for (int round = 0; round < 5; ++round) {
    const auto directory = std::make_shared<FaultyDirectory>();
    Table table = Make(directory, options);
    Acknowledged acknowledged;
    {
      std::jthread closer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(2 + 3 * round));
        EXPECT_TRUE(table.Close().ok());
      });
      std::jthread reader([&] {
        while (table.Count().ok()) {
        }
      });
      acknowledged = PutTogether(&table, kNumWriters, 100'000);
    }
    for (const Status& failure : acknowledged.failures) {
      EXPECT_EQ(failure.code(), StatusCode::kFailedPrecondition) << failure.ToString();
    }
    const Table again = Reopen(directory->AfterCrash(AfterPowerCut::kNothing, 0));
    CheckBatches(again, acknowledged);
    std::size_t num_acknowledged = 0;
    for (const auto& numbers : acknowledged.numbers) {
      num_acknowledged += numbers.size();
    }
    EXPECT_EQ(*again.Count(), num_acknowledged * kBatchRows) << "nothing failed but the puts after";
  }
}

TEST(TableGroupCommitTest, CloseWhileOthersWrite) { CloseWhileOthersWrite({}); }

TEST(TableGroupCommitTest, CloseWhileOthersWaitForAFlush) {
  CloseWhileOthersWrite({.max_memtable_rows = 2 * kBatchRows, .merge_fan_in = 4});
}

TEST(TableGroupCommitTest, FlushHasFlushedWhatWasPutBeforeIt) {
  Table table = Make(std::make_shared<FaultyDirectory>(), {.merge_fan_in = 0});
  std::vector<std::jthread> writers;
  for (std::size_t writer = 0; writer < kNumWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (std::int64_t number = 1; number <= 30; ++number) {
        const auto put = table.Put(*BatchOfWriter(writer, number));
        ASSERT_TRUE(put.ok()) << put.status().ToString();
        ASSERT_TRUE(table.Flush().ok());
        std::uint64_t num_flushed = 0;
        const TableStats stats = table.stats().value();
        for (const GenerationStats& generation : stats.generations) {
          num_flushed += generation.num_rows + generation.num_dead;
        }
        ASSERT_GT(num_flushed, put->first_row_id) << "rows have their ids in the order of flushes";
      }
    });
  }
}

TEST(TableGroupCommitTest, AnIntervalLaterItIsDurable) {
  const auto directory = std::make_shared<FaultyDirectory>();
  Table table = Make(directory, {.sync = SyncPolicy::kInterval, .sync_interval = 1ms});
  const Acknowledged acknowledged = PutTogether(&table, kNumWriters, 50);
  const auto end = std::chrono::steady_clock::now() + 20s;
  std::size_t found = 0;
  while (found < kNumWriters * 50 * kBatchRows && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
    found = Contents(Reopen(directory->AfterCrash(AfterPowerCut::kNothing, 0))).size();
  }
  CheckBatches(Reopen(directory->AfterCrash(AfterPowerCut::kNothing, 0)), acknowledged);
  EXPECT_LT(table.stats()->num_syncs, kNumWriters * 50);
}

TEST(TableGroupCommitTest, CloseTellsOfASyncThatFailed) {
  const auto directory = std::make_shared<FaultyDirectory>();
  Table table = Make(directory, {.sync = SyncPolicy::kInterval, .sync_interval = 1ms});
  // The put's append, then the timer's sync.
  directory->FailAt({.operation = directory->num_operations() + 1, .error = EIO});
  ASSERT_TRUE(table.Put(*BatchOfWriter(0, 1)).ok());
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (table.stats()->num_syncs == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_FALSE(table.Put(*BatchOfWriter(0, 2)).ok());
  EXPECT_FALSE(table.Close().ok()) << "a row that was acknowledged is not durable";
}

}  // namespace
}  // namespace forebay::testing
