// A disk that is full, or slow, while a table is flushed and merged: puts go on as long as there is
// room in memory, and no longer; nothing is lost; and once there is space, all goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/faulty_directory.h"
#include "support/full_directory.h"
#include "support/results.h"
#include "support/slow_sync_directory.h"
#include "support/table_batches.h"

namespace forebay::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::size_t kLimit = 5 * kBatchRows;  // Rows of a MemTable.

/// Whether this comes true within a minute.
bool Soon(const std::function<bool()>& is_true) {
  for (int i = 0; i < 60'000 && !is_true(); ++i) {
    std::this_thread::sleep_for(1ms);
  }
  return is_true();
}

/// Puts that each have keys of their own, in the table and in the model.
class Puts {
 public:
  explicit Puts(Table* table) : table_(*table) {}

  Status Put() {
    std::vector<TableRow> rows;
    for (std::size_t i = 0; i < kBatchRows; ++i) {
      rows.push_back(RandomRow(kKind, next_key_ + i, &random_));
    }
    const Status status = table_.Put(*BatchOf(kKind, rows)).status();
    if (status.ok()) {
      model_.Put(rows);
      next_key_ += kBatchRows;
    }
    return status;
  }

  [[nodiscard]] const TableModel& model() const { return model_; }

 private:
  Table& table_;
  TableModel model_{kKind};
  Rng random_{1};
  std::uint64_t next_key_ = 0;
};

class TableFullDiskTest : public ::testing::Test {
 protected:
  /// As the process that writes, and what is left when it is killed, have it.
  void ExpectRows(const TableModel& model) {
    EXPECT_EQ(DeepDifference(table_, model), "");
    const std::shared_ptr<FaultyDirectory> left = memory_->AfterCrash(AfterPowerCut::kNothing, 0);
    EXPECT_EQ(DeepDifference(Reopen(left), model), "");
  }

  const std::shared_ptr<FaultyDirectory> memory_ = std::make_shared<FaultyDirectory>();
  const std::shared_ptr<FullDirectory> disk_ = std::make_shared<FullDirectory>(memory_);
  Table table_ = Make(disk_, {.max_memtable_rows = kLimit, .merge_fan_in = 3});
  Puts puts_{&table_};
};

TEST_F(TableFullDiskTest, PutsGoOnUntilMemoryIsFullAndThenSaySo) {
  disk_->SetSpace(0);
  Status last;
  while ((last = puts_.Put()).ok()) {
    ASSERT_LE(puts_.model().rows().size(), 2 * kLimit);
  }
  EXPECT_EQ(puts_.model().rows().size(), 2 * kLimit) << "one MemTable is frozen, one is full";
  EXPECT_EQ(last.code(), StatusCode::kIoError);
  EXPECT_EQ(last.os_error(), ENOSPC);
  EXPECT_THAT(last.message(), HasSubstr("the MemTable is full, and cannot be flushed"));
  EXPECT_THAT(last.message(), HasSubstr("No space left on device"));
  EXPECT_THAT(table_.Flush(), FailsWith(StatusCode::kIoError, "No space left on device"));
  EXPECT_FALSE(puts_.Put().ok()) << "still";
  ExpectRows(puts_.model());
}

TEST_F(TableFullDiskTest, PutsGoOnWhenThereIsSpaceAgain) {
  disk_->SetSpace(1);  // For the rows, not for the keys.
  while (puts_.Put().ok()) {
    ASSERT_LE(puts_.model().rows().size(), 2 * kLimit);
  }
  disk_->SetSpace(FullDirectory::kAny);
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(puts_.Put(), Succeeds());
  }
  EXPECT_THAT(table_.Flush(), Succeeds());
  EXPECT_EQ(table_.stats()->memtable_bytes, 0U);
  ExpectRows(puts_.model());
}

TEST_F(TableFullDiskTest, FlushWorksWhenThereIsSpaceAgain) {
  ASSERT_THAT(table_.Close(), Succeeds());
  auto opened = Table::Impl::Open(std::make_unique<SharedDirectory>(disk_), {.merge_fan_in = 0});
  ASSERT_THAT(opened, Succeeds());
  table_ = *std::move(opened);
  ASSERT_THAT(puts_.Put(), Succeeds());
  for (std::uint64_t later = 0; later < 6; ++later) {
    memory_->FailAt(
        {.operation = memory_->num_operations() + later, .error = ENOSPC, .for_good = true});
    const Status flushed = table_.Flush();
    EXPECT_TRUE(flushed.ok() || flushed.os_error() == ENOSPC) << flushed.ToString();
    memory_->FailAt({});
    if (const Status put = puts_.Put(); !put.ok()) {
      EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition) << put.ToString();
      break;  // Nobody knew which manifest was there: AnOperationFails has what comes then.
    }
    ASSERT_THAT(table_.Flush(), Succeeds());
  }
  ExpectRows(puts_.model());
}

TEST_F(TableFullDiskTest, AMergeInTheBackgroundFailsAndWorksLater) {
  disk_->SetSpace(7);  // Of three generations, rows and keys, and one more.
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(puts_.Put(), Succeeds());
    ASSERT_THAT(table_.Flush(), Succeeds());
  }
  // Each flush makes the background look; it may be late.
  ASSERT_TRUE(Soon([&] { return table_.stats()->num_failed_merges > 0; }));
  EXPECT_EQ(table_.stats()->generations.size(), 3U);
  EXPECT_THAT(table_.Merge(), FailsWith(StatusCode::kIoError, "No space left on device"));
  ExpectRows(puts_.model());
  disk_->SetSpace(FullDirectory::kAny);
  ASSERT_THAT(puts_.Put(), Succeeds());
  ASSERT_THAT(table_.Flush(), Succeeds());
  ASSERT_TRUE(Soon([&] { return table_.stats()->generations.size() == 1; }));
  ExpectRows(puts_.model());
}

TEST(TableSlowDiskTest, PutsWaitAndMemoryStaysBounded) {
  constexpr std::size_t kBytes = 20'000;  // Of a MemTable.
  const auto slow = std::make_shared<SlowSyncDirectory>(std::make_shared<FaultyDirectory>(), 10ms);
  Table table =
      Make(slow, {.sync = SyncPolicy::kNone, .max_memtable_bytes = kBytes, .merge_fan_in = 3});
  Puts puts(&table);
  std::uint64_t most = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(puts.Put(), Succeeds());
    most = std::max(most, table.stats()->memtable_bytes);
  }
  EXPECT_GT(table.stats()->num_flushes, 5U);
  EXPECT_GT(most, kBytes);
  EXPECT_LE(most, 2 * kBytes + 5'000) << "two MemTables, and a batch";
  EXPECT_GT(table.stats()->waited_seconds, 0.05);
  EXPECT_EQ(Difference(table, puts.model()), "");
}

}  // namespace
}  // namespace forebay::testing
