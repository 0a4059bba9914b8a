// Readers that outlast flushes and merges: old snapshots stay as they were, and a table can be
// opened read only at any time, though the files of its newest manifest may be gone the next
// moment.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "support/sanitizers.h"
#include "support/table_batches.h"

namespace forebay::testing {
namespace {

constexpr std::uint64_t kNumKeys = 400;

/// Flushes and merges all the time.
constexpr TableOptions kRestless = {.max_memtable_rows = 5 * kBatchRows, .merge_fan_in = 3};

/// A scan that has begun, and what it must give.
struct OldScan {
  std::shared_ptr<arrow::RecordBatchReader> reader;
  StoredRows expected;
};

/// Puts and deletes at random, on both; all rows of a batch have the same number.
void Change(Table* table, TableModel* model, std::size_t num_batches, Rng* random) {
  for (std::size_t i = 0; i < num_batches; ++i) {
    std::vector<TableRow> rows;
    for (std::size_t row = 0; row < kBatchRows; ++row) {
      rows.push_back(RandomRow(kKind, random->Below(kNumKeys), random));
    }
    ASSERT_TRUE(table->Put(*BatchOf(kKind, rows)).ok());
    model->Put(rows);
    const auto low = static_cast<std::int64_t>(random->Below(100));
    const TableFilter filter = {TableFilter::Kind::kNumberBetween, low, low + 5};
    const auto deleted = table->Delete(filter.ToArrow());
    ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
    ASSERT_EQ(*deleted, model->Delete(filter));
  }
}

void SearchUntil(const Table& table, const std::atomic<bool>& stop) {
  const std::vector<float> query(static_cast<std::size_t>(kKind.dim), 0.5F);
  while (!stop) {
    const auto found =
        table.Search({query.data(), 1, query.size()}, {.k = 2 * kNumKeys, .columns = AllColumns()});
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    std::vector<std::uint64_t> keys;
    for (const TableRow& row : RowsOf(kKind, *found->rows)) {
      keys.push_back(row.key);
    }
    std::sort(keys.begin(), keys.end());
    ASSERT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end()) << "a key twice";
  }
}

TEST(TableFlushThreadsTest, OldSnapshotsStayAsTheyWere) {
  constexpr int kNumRounds = 10;
  Table table = Make(std::make_shared<FaultyDirectory>(), kRestless);
  TableModel model(kKind);
  Rng random(1);
  ASSERT_NO_FATAL_FAILURE(Change(&table, &model, 20, &random));
  std::vector<OldScan> late;
  for (int round = 0; round < kNumRounds; ++round) {
    const StoredRows before = model.rows();
    late.push_back({table.Scan(nullptr, AllColumns()).value(), before});
    const auto at_once = table.Scan(nullptr, AllColumns()).value();
    std::atomic<bool> stop{false};
    std::jthread searcher([&] { SearchUntil(table, stop); });
    std::jthread reader([&] { EXPECT_EQ(ReadAll(kKind, at_once.get()), before); });
    Change(&table, &model, 20, &random);
    if (round % 3 == 0) {
      EXPECT_TRUE(table.Merge().ok());
    }
    stop = true;
  }
  EXPECT_GT(table.stats()->num_flushes, static_cast<std::uint64_t>(kNumRounds));
  EXPECT_EQ(Contents(table), model.rows());
  ASSERT_TRUE(table.Close().ok());
  for (const OldScan& scan : late) {
    EXPECT_EQ(ReadAll(kKind, scan.reader.get()), scan.expected);
  }
}

/// Opens the table again and again; each time it has whole batches, and no older ones than before.
void OpenUntil(const std::shared_ptr<storage::Directory>& directory, const std::atomic<bool>& stop,
               std::size_t* num_opened) {
  std::vector<std::int64_t> newest(kNumWriters, 0);
  for (; !stop || *num_opened == 0; ++*num_opened) {
    const auto opened =
        Table::Impl::Open(std::make_unique<SharedDirectory>(directory), {.read_only = true});
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    std::vector<std::size_t> counts(kNumWriters, 0);
    for (const auto& [row_id, row] : Contents(*opened)) {
      const std::size_t writer = row.key / kBatchRows;
      if (counts[writer]++ == 0) {
        ASSERT_GE(row.number, newest[writer]);
        newest[writer] = row.number;
      }
      ASSERT_EQ(row.number, newest[writer]) << "rows of several batches of writer " << writer;
    }
    for (const std::size_t count : counts) {
      ASSERT_EQ(count % kBatchRows, 0U);
    }
  }
}

TEST(TableFlushThreadsTest, ItIsOpenedReadOnlyWhileItIsFlushedAndMerged) {
  const std::int64_t num_batches = kSanitized ? 150 : 400;
  const auto directory = std::make_shared<FaultyDirectory>();
  Table table = Make(directory, kRestless);
  std::atomic<bool> stop{false};
  std::size_t num_opened[2] = {};
  {
    std::vector<std::jthread> readers;
    for (std::size_t& count : num_opened) {
      readers.emplace_back([&] { OpenUntil(directory, stop, &count); });
    }
    std::vector<std::jthread> writers;
    for (std::size_t writer = 0; writer < kNumWriters; ++writer) {
      writers.emplace_back([&, writer] {
        for (std::int64_t number = 1; number <= num_batches; ++number) {
          EXPECT_TRUE(table.Put(*BatchOfWriter(writer, number)).ok());
        }
      });
    }
    writers.clear();
    stop = true;
  }
  EXPECT_GT(table.stats()->num_flushes, 50U);
  EXPECT_EQ(table.stats()->num_failed_merges, 0U);
  EXPECT_GT(num_opened[0] + num_opened[1], 10U);
}

}  // namespace
}  // namespace forebay::testing
