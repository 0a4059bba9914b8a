// A table is written while the power goes, or an operation fails, at each operation in turn: what
// was acknowledged is there, once; of the call that was under way all is there, or nothing; and the
// table can be written again.
//
// FOREBAY_CRASH_SEEDS: how many outcomes are drawn for each operation, where anything may be left.
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "support/sanitizers.h"
#include "support/table_workload.h"

namespace forebay::testing {
namespace {

using DirectoryPtr = std::shared_ptr<FaultyDirectory>;

struct Outcome {
  AfterPowerCut left = AfterPowerCut::kNothing;
  std::uint32_t seed = 0;
};

/// By default few, so that the tests are short.
std::uint32_t NumSeeds() {
  const char* const seeds = std::getenv("FOREBAY_CRASH_SEEDS");
  return seeds == nullptr ? 1 : static_cast<std::uint32_t>(std::stoul(seeds));
}

/// And then not every operation is tried in every way.
bool IsThorough() { return NumSeeds() > 1; }

std::vector<Outcome> Outcomes() {
  std::vector<Outcome> outcomes = {{AfterPowerCut::kNothing, 0}, {AfterPowerCut::kAll, 0}};
  for (std::uint32_t seed = 0; seed < NumSeeds(); ++seed) {
    outcomes.push_back({AfterPowerCut::kAnything, seed});
    if (seed % 3 == 0) {
      outcomes.push_back({AfterPowerCut::kPartOfLastWrite, seed});
    }
  }
  return outcomes;
}

/// The numbers of calls after which the table may be: [least, most].
struct Allowed {
  std::size_t least = 0;
  std::size_t most = 0;
};

class TableCrashTest : public ::testing::TestWithParam<TableWorkloadOptions> {
 protected:
  /// How many operations a run has, all of which do not fail.
  [[nodiscard]] std::uint64_t NumOperations() const {
    const auto directory = std::make_shared<FaultyDirectory>();
    std::optional<Table> table;
    EXPECT_EQ(workload_.Run(directory, &table), workload_.size());
    return directory->num_operations();
  }

  /// After `count` calls were acknowledged.
  [[nodiscard]] Allowed AllowedAfter(std::size_t count, AfterPowerCut left) const {
    Allowed allowed = {count, std::min(count + 1, workload_.size())};
    const bool is_durable =
        workload_.options().sync == SyncPolicy::kAlways || left == AfterPowerCut::kAll;
    while (!is_durable && allowed.least > 0 && !MakesDurable(workload_.call(allowed.least - 1))) {
      --allowed.least;
    }
    return allowed;
  }

  /// Opens the table, checks that it is as it may be, and that it can be written and opened again.
  void CheckRecovered(const DirectoryPtr& directory, Allowed allowed) const {
    auto table = workload_.Open(directory);
    if (!table.ok() && allowed.least == 0) {
      ASSERT_EQ(table.status().code(), StatusCode::kFailedPrecondition)
          << table.status().ToString();
      table = workload_.Create(directory);
    }
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    const std::optional<std::size_t> count = CountOf(*table, allowed);
    ASSERT_TRUE(count.has_value());
    TableModel model = workload_.After(*count);
    // What was opened is durable, however it was found.
    const DirectoryPtr again = directory->AfterCrash(AfterPowerCut::kNothing, 0);
    ASSERT_NO_FATAL_FAILURE(CheckHolds(again, model, &Difference));

    PutMore(&*table, &model);
    ASSERT_EQ(Difference(*table, model), "");
    ASSERT_TRUE(table->Close().ok());
    ASSERT_NO_FATAL_FAILURE(CheckHolds(directory, model, &DeepDifference));
  }

  void CheckHolds(const DirectoryPtr& directory, const TableModel& model,
                  std::string (*differ)(const Table&, const TableModel&)) const {
    const auto table = workload_.Open(directory);
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    ASSERT_EQ(differ(*table, model), "");
  }

  static void PutMore(Table* table, TableModel* model) {
    Rng random(3);
    std::vector<TableRow> rows;
    for (std::uint64_t key = 0; key < 3; ++key) {
      rows.push_back(RandomRow(model->kind(), key, &random));
    }
    const auto report = table->Put(*BatchOf(model->kind(), rows));
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    ASSERT_EQ(report->first_row_id, model->next_row_id());
    model->Put(rows);
  }

  const TableWorkload workload_{GetParam()};

 private:
  static bool MakesDurable(TableCall call) {
    return call == TableCall::kCreate || call == TableCall::kOpen || call == TableCall::kClose ||
           call == TableCall::kFlush;
  }

  /// After how many calls the table is as it is now.
  [[nodiscard]] std::optional<std::size_t> CountOf(const Table& table, Allowed allowed) const {
    std::string differs;
    for (std::size_t count = allowed.least; count <= allowed.most; ++count) {
      differs = Difference(table, workload_.After(count));
      if (differs.empty()) {
        return count;
      }
    }
    ADD_FAILURE() << "not as after " << allowed.least << " to " << allowed.most
                  << " calls; of the last: " << differs;
    return std::nullopt;
  }
};

TEST_P(TableCrashTest, ThePowerGoesAtEveryOperation) {
  const std::uint64_t num_operations = NumOperations();
  ASSERT_GT(num_operations, 50U);
  for (std::uint64_t operation = 0; operation < num_operations; ++operation) {
    const auto directory = std::make_shared<FaultyDirectory>();
    directory->CrashAt(operation);
    std::optional<Table> table;
    const std::size_t count = workload_.Run(directory, &table);
    table.reset();
    for (const Outcome& outcome : Outcomes()) {
      SCOPED_TRACE(::testing::Message()
                   << "operation " << operation << ", left " << static_cast<int>(outcome.left)
                   << ", seed " << outcome.seed << "; " << count << " calls were acknowledged");
      CheckRecovered(directory->AfterCrash(outcome.left, outcome.seed),
                     AllowedAfter(count, outcome.left));
      if (HasFailure()) {
        return;
      }
    }
  }
}

/// How many operations it takes to open the table.
std::uint64_t NumOpeningOperations(const TableWorkload& workload, const FaultyDirectory& found) {
  const DirectoryPtr directory = found.AfterCrash(AfterPowerCut::kAll, 0);
  static_cast<void>(workload.Open(directory));
  return directory->num_operations();
}

/// What is left when the power goes while the table is opened, at this operation.
DirectoryPtr CrashWhileOpening(const TableWorkload& workload, const FaultyDirectory& found,
                               std::uint64_t operation, std::uint32_t seed) {
  const DirectoryPtr directory = found.AfterCrash(AfterPowerCut::kAll, 0);
  directory->CrashAt(operation);
  static_cast<void>(workload.Open(directory));
  return directory->AfterCrash(AfterPowerCut::kAnything, seed);
}

TEST_P(TableCrashTest, ThePowerGoesAgainWhileItIsOpened) {
  const std::uint64_t num_operations = NumOperations();
  Rng random(5);
  const std::uint64_t step = IsThorough() ? 5 : 17;
  for (std::uint64_t operation = 0; operation < num_operations;
       operation += kSanitized ? 23 : step) {
    const auto directory = std::make_shared<FaultyDirectory>();
    directory->CrashAt(operation);
    std::optional<Table> table;
    const std::size_t count = workload_.Run(directory, &table);
    table.reset();
    const auto found = directory->AfterCrash(AfterPowerCut::kAnything, 7);
    const std::uint64_t num_opening = NumOpeningOperations(workload_, *found);
    for (std::uint64_t first = 0; first < num_opening; ++first) {
      const std::uint64_t second = random.Below(num_opening);
      const auto seed = static_cast<std::uint32_t>(random.Next());
      SCOPED_TRACE(::testing::Message()
                   << "operation " << operation << ", " << first << " of the first opening and "
                   << second << " of the next, seed " << seed << "; " << count
                   << " calls were acknowledged");
      const auto once = CrashWhileOpening(workload_, *found, first, seed);
      CheckRecovered(CrashWhileOpening(workload_, *once, second, seed + 1),
                     AllowedAfter(count, AfterPowerCut::kAnything));
      if (HasFailure()) {
        return;
      }
    }
  }
}

class TableFaultTest : public TableCrashTest {
 protected:
  /// Fails an operation. What must hold after the call that it failed, and after opening again.
  void CheckFault(const FaultyDirectory::Fault& fault) const {
    const auto directory = std::make_shared<FaultyDirectory>();
    directory->FailAt(fault);
    std::optional<Table> table;
    const std::size_t count = workload_.Run(directory, &table);
    if (count == workload_.size()) {
      directory->FailAt({});
      CheckHolds(directory, workload_.After(count), &DeepDifference);
      return;
    }
    TableModel model = workload_.After(count);
    bool took_more = false;
    if (table.has_value()) {
      ASSERT_NO_FATAL_FAILURE(
          CheckAfterFailure(workload_.call(count), &*table, &model, &took_more));
    }
    table.reset();
    for (const AfterPowerCut left : {AfterPowerCut::kNothing, AfterPowerCut::kAnything}) {
      ASSERT_NO_FATAL_FAILURE(
          CheckReopened(directory->AfterCrash(left, 1), count, model, took_more));
    }
    directory->FailAt({});
    CheckReopened(directory, count, model, took_more);
  }

 private:
  /// Reads go on; writes do after a failure that left the log alone, and then they are there.
  void CheckAfterFailure(TableCall failed, Table* table, TableModel* model, bool* took_more) const {
    ASSERT_EQ(Difference(*table, *model), "") << "a call that failed has changed something";
    TableModel more = *model;
    Rng random(4);
    const std::vector<TableRow> rows = {RandomRow(model->kind(), 1, &random)};
    const auto put = table->Put(*BatchOf(model->kind(), rows));
    *took_more = put.ok();
    if (*took_more) {
      ASSERT_TRUE(LeavesTheLogAlone(failed)) << "a write after a failed one";
      more.Put(rows);
      *model = more;
    } else if (!LeavesTheLogAlone(failed)) {
      ASSERT_EQ(put.status().code(), StatusCode::kFailedPrecondition) << put.status().ToString();
      const auto deleted = table->Delete(TableFilter{}.ToArrow());
      ASSERT_EQ(deleted.status().code(), StatusCode::kFailedPrecondition);
    }
    ASSERT_EQ(DeepDifference(*table, *model), "");
  }

  static bool LeavesTheLogAlone(TableCall call) {
    return call == TableCall::kTrain || call == TableCall::kFlush || call == TableCall::kMerge;
  }

  void CheckReopened(const DirectoryPtr& directory, std::size_t count, const TableModel& model,
                     bool took_more) const {
    if (took_more) {
      CheckHolds(directory, model, &DeepDifference);
    } else {
      CheckRecovered(directory, AllowedAfter(count, AfterPowerCut::kAnything));
    }
  }
};

TEST_P(TableFaultTest, AnOperationFails) {
  const std::uint64_t num_operations = NumOperations();
  const FaultyDirectory::Fault faults[] = {
      {.error = ENOSPC, .for_good = true, .written = 0.5},
      {.error = EIO, .written = 0},
      {.error = EIO, .written = 1},
      {.error = EDQUOT, .written = 0.9},
  };
  for (std::uint64_t operation = 0; operation < num_operations; ++operation) {
    for (std::size_t i = 0; i < std::size(faults); ++i) {
      if (!IsThorough() && (operation + i) % std::size(faults) != 0) {
        continue;
      }
      FaultyDirectory::Fault fault = faults[i];
      fault.operation = operation;
      SCOPED_TRACE(::testing::Message() << "operation " << operation << " fails with "
                                        << fault.error << ", " << fault.written << " written");
      CheckFault(fault);
      if (HasFailure()) {
        return;
      }
    }
  }
}

const TableWorkloadOptions kWorkloads[] = {
    {.kind = {.key = KeyKind::kUtf8}, .large = true},
    {.kind = {.key = KeyKind::kNone, .metric = Metric::kDot}, .has_model = true},
    {.kind = {.key = KeyKind::kInt64, .element = ElementKind::kFloat64, .metric = Metric::kCosine},
     .has_model = true},
    {.kind = {.key = KeyKind::kUInt64}, .sync = SyncPolicy::kNone},
};

std::string NameOf(const ::testing::TestParamInfo<TableWorkloadOptions>& tested) {
  static const char* const kNames[] = {"TextKeysTrained", "NoKeysGivenModel",
                                       "IntegerKeysGivenModel", "NoSyncs"};
  return kNames[tested.index];
}

INSTANTIATE_TEST_SUITE_P(Workloads, TableCrashTest, ::testing::ValuesIn(kWorkloads), NameOf);
// Without syncs a failure is as it is with them: only what is left after a power cut differs.
INSTANTIATE_TEST_SUITE_P(Workloads, TableFaultTest, ::testing::ValuesIn(kWorkloads, kWorkloads + 3),
                         NameOf);

}  // namespace
}  // namespace forebay::testing
