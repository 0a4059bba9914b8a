// Writers, readers and a training at the same time: each reader sees whole batches, and an old
// snapshot stays as it was.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "support/sanitizers.h"
#include "support/slow_sync_directory.h"
#include "support/table_batches.h"

namespace forebay::testing {
namespace {

using namespace std::chrono_literals;

/// What one read saw of each writer: the numbers of its rows, and how many rows there were.
class Sight {
 public:
  void Add(const TableRow& row) {
    std::vector<std::int64_t>& numbers = numbers_[row.key / kBatchRows];
    numbers.push_back(row.number);
  }

  /// All rows of a writer are of one batch, and no earlier one than was seen before.
  void Check(std::map<std::size_t, std::int64_t>* newest) const {
    for (const auto& [writer, numbers] : numbers_) {
      EXPECT_EQ(numbers.size(), kBatchRows) << "of writer " << writer;
      EXPECT_EQ(std::set<std::int64_t>(numbers.begin(), numbers.end()).size(), 1U)
          << "rows of several batches of writer " << writer;
      EXPECT_GE(numbers.front(), (*newest)[writer]) << "writer " << writer;
      (*newest)[writer] = numbers.front();
    }
  }

 private:
  std::map<std::size_t, std::vector<std::int64_t>> numbers_;
};

/// Reads in every way until it is told to stop.
void ReadUntil(const Table& table, const std::atomic<bool>& stop, std::size_t seed) {
  std::map<std::size_t, std::int64_t> newest;
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 0; key < kNumWriters * kBatchRows; ++key) {
    keys.push_back(key);
  }
  const std::vector<float> query(static_cast<std::size_t>(kKind.dim), 0.5F);
  for (std::size_t turn = seed; !stop && !::testing::Test::HasFailure(); ++turn) {
    std::vector<TableRow> rows;
    if (turn % 3 == 0) {
      for (const auto& [row_id, row] : Contents(table)) {
        rows.push_back(row);
      }
    } else if (turn % 3 == 1) {
      const auto got = table.Get(*KeyArray(kKind, keys), AllColumns());
      ASSERT_TRUE(got.ok()) << got.status().ToString();
      rows = RowsOf(kKind, **got);
    } else {
      const auto found = table.Search({query.data(), 1, query.size()},
                                      {.k = keys.size() + 10, .columns = AllColumns()});
      ASSERT_TRUE(found.ok()) << found.status().ToString();
      rows = RowsOf(kKind, *found->rows);
    }
    Sight sight;
    for (const TableRow& row : rows) {
      sight.Add(row);
    }
    sight.Check(&newest);
    const auto count = table.Count();
    ASSERT_TRUE(count.ok());
    ASSERT_EQ(*count % kBatchRows, 0U);
  }
}

/// Puts its batches, and looks for each at once.
void WriteAll(Table* table, std::size_t writer, std::int64_t num_batches) {
  const std::vector<std::uint64_t> first_key = {writer * kBatchRows};
  for (std::int64_t number = 1; number <= num_batches; ++number) {
    const auto report = table->Put(*BatchOfWriter(writer, number));
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    ASSERT_EQ(report->num_replaced, number == 1 ? 0 : kBatchRows);
    const auto got = table->Get(*KeyArray(kKind, first_key), AllColumns());
    ASSERT_TRUE(got.ok());
    const std::vector<TableRow> rows = RowsOf(kKind, **got);
    ASSERT_EQ(rows.size(), 1U);
    ASSERT_EQ(rows[0].number, number) << "a put that returned is not visible";
  }
}

/// A writer that deletes what it puts, by filter and by key.
void PutAndDelete(Table* table, std::size_t writer, std::int64_t num_batches) {
  for (std::int64_t number = 1; number <= num_batches; ++number) {
    // Numbers that no other writer has.
    ASSERT_TRUE(table->Put(*BatchOfWriter(writer, 1'000'000 + number)).ok());
    std::vector<std::uint64_t> keys;
    for (std::size_t i = 0; i < kBatchRows; ++i) {
      keys.push_back(writer * kBatchRows + i);
    }
    const TableFilter filter = {
        .kind = TableFilter::Kind::kNumberBetween, .low = 1'000'000, .high = 2'000'000};
    const auto deleted =
        number % 2 == 0 ? table->Delete(*KeyArray(kKind, keys)) : table->Delete(filter.ToArrow());
    ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
    ASSERT_EQ(*deleted, kBatchRows);
  }
}

/// Trains again and again; how often it could: early there are too few rows.
std::size_t TrainUntil(Table* table, const std::atomic<bool>& stop) {
  std::size_t num_trained = 0;
  for (std::uint64_t seed = 1; !stop; ++seed) {
    const Status trained = table->Train({.num_partitions = 4,
                                         .num_sub_vectors = 2,
                                         .num_bits = 4,
                                         .max_iters = 3,
                                         .pq_max_iters = 3,
                                         .seed = seed});
    EXPECT_TRUE(trained.ok() || trained.code() == StatusCode::kInvalidArgument)
        << trained.ToString();
    num_trained += trained.ok() ? 1U : 0U;
  }
  return num_trained;
}

/// All of the above on one table.
void WriteAndReadAtOnce(const TableOptions& options, TableStats* stats) {
  constexpr std::int64_t kNumBatches = 200;
  const auto directory = std::make_shared<FaultyDirectory>();
  // While a batch is synced its rows are in the index, and not to be seen.
  const auto slow = std::make_shared<SlowSyncDirectory>(directory, 200us);
  Table table = Make(slow, options);
  std::atomic<bool> stop{false};
  std::size_t num_trained = 0;
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 0; i < 3; ++i) {
      others.emplace_back([&, i] { ReadUntil(table, stop, i); });
    }
    others.emplace_back([&] { num_trained = TrainUntil(&table, stop); });
    std::vector<std::jthread> writers;
    writers.emplace_back([&] { WriteAll(&table, 0, kNumBatches); });
    writers.emplace_back([&] { WriteAll(&table, 1, kNumBatches); });
    writers.emplace_back([&] { PutAndDelete(&table, 2, kNumBatches); });
    writers.clear();
    stop = true;
  }
  EXPECT_GT(num_trained, 0U);
  const auto verified = table.Verify();
  EXPECT_TRUE(verified.ok()) << verified.status().ToString();
  const StoredRows before = Contents(table);
  EXPECT_EQ(before.size(), 2 * kBatchRows);
  *stats = table.stats().value();
  ASSERT_TRUE(table.Close().ok());
  EXPECT_EQ(Contents(Reopen(directory)), before);
}

TEST(TableThreadsTest, ReadersSeeWholeBatches) {
  TableStats stats;
  WriteAndReadAtOnce({.num_threads = 2}, &stats);
  EXPECT_EQ(stats.num_flushes, 0U);
}

TEST(TableThreadsTest, ReadersSeeWholeBatchesWhileTheTableIsFlushedAndMerged) {
  TableStats stats;
  WriteAndReadAtOnce({.max_memtable_rows = 10 * kBatchRows, .merge_fan_in = 3, .num_threads = 2},
                     &stats);
  EXPECT_GT(stats.num_flushes, 10U);
  EXPECT_EQ(stats.num_failed_merges, 0U);
  EXPECT_LT(stats.generations.size(), 10U);
}

TEST(TableThreadsTest, AnOldSnapshotStaysAsItWas) {
  const auto directory = std::make_shared<FaultyDirectory>();
  std::optional<Table> table(Make(directory));
  TableModel model(kKind);
  Rng random(1);
  std::vector<TableRow> rows;
  for (std::uint64_t key = 0; key < 9000; ++key) {  // Several batches in memory.
    rows.push_back(RandomRow(kKind, key, &random));
  }
  ASSERT_TRUE(table->Put(*BatchOf(kKind, rows)).ok());
  model.Put(rows);

  const auto slow = table->Scan(nullptr, AllColumns());
  const auto late = table->Scan(nullptr, AllColumns());
  ASSERT_TRUE(slow.ok() && late.ok());
  {
    std::jthread reader([&] { EXPECT_EQ(ReadAll(kKind, slow->get()), model.rows()); });
    std::jthread writer([&] {
      for (std::int64_t number = 1000; number < 1020; ++number) {
        EXPECT_TRUE(table->Put(*BatchOfWriter(0, number)).ok());
      }
    });
    std::jthread deleter([&] {
      for (std::int64_t low = 0; low < 100; low += 10) {
        const TableFilter filter = {TableFilter::Kind::kNumberBetween, low, low + 5};
        EXPECT_TRUE(table->Delete(filter.ToArrow()).ok());
      }
    });
    EXPECT_TRUE(table
                    ->Train({.num_partitions = 4,
                             .num_sub_vectors = 2,
                             .num_bits = 4,
                             .max_iters = 2,
                             .pq_max_iters = 2})
                    .ok());
  }
  EXPECT_NE(Contents(*table), model.rows());
  ASSERT_TRUE(table->Close().ok());
  table.reset();
  EXPECT_EQ(ReadAll(kKind, late->get()), model.rows()) << "it may outlive the table";
}

}  // namespace
}  // namespace forebay::testing

#if FOREBAY_TEST_TSAN
// Arrow's libraries are not instrumented: of the atomics with which they count references and
// publish what they cache ThreadSanitizer sees nothing, and so it takes what they do for races.
// With this it reports only what instrumented code does, which all of ours is.
#pragma clang diagnostic ignored "-Wreserved-identifier"
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }
#endif
