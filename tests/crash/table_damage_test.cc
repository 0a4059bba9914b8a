// Every byte of a table's files is flipped in turn, and each file is cut at every length: opening
// says what is wrong, or cuts a tail that was never acknowledged as far as the files can tell
// (docs/format.md). It never gives wrong rows, and what it refuses it leaves as it is.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/damaged_tables.h"
#include "support/faulty_directory.h"
#include "support/table_workload.h"
#include "table/manifest.h"
#include "wal/wal_format.h"
#include "wal/wal_reader.h"

namespace forebay::testing {
namespace {

using ::testing::HasSubstr;

class TableDamageTest : public ::testing::TestWithParam<TableWorkloadOptions> {
 protected:
  void SetUp() override {
    const auto directory = std::make_shared<FaultyDirectory>();
    std::optional<Table> table;
    ASSERT_EQ(workload_.Run(directory, &table), workload_.size());
    // As a process that is killed leaves it, and as one that closes the table.
    whole_ = directory->AfterCrash(AfterPowerCut::kAll, 0);
    ASSERT_TRUE(table->Close().ok());
    closed_ = directory;
    files_ = FilesOf(*whole_);
    const auto manifest = table::LoadManifest(*whole_);
    ASSERT_TRUE(manifest.ok());
    durable_bytes_ = manifest->logs.back().durable_bytes;
    FindRecords();
  }

  /// The name of the only file that begins so.
  [[nodiscard]] std::string NameOf(const std::string& prefix) const {
    std::string found;
    for (const auto& [name, bytes] : files_) {
      if (name.starts_with(prefix)) {
        EXPECT_EQ(found, "");
        found = name;
      }
    }
    EXPECT_NE(found, "") << prefix;
    return found;
  }

  [[nodiscard]] DirectoryPtr With(const std::string& name, Bytes bytes) const {
    DirectoryPtr directory = whole_->AfterCrash(AfterPowerCut::kAll, 0);
    directory->Overwrite(name, std::move(bytes));
    return directory;
  }

  /// It opens with the first records; so many bytes are cut.
  void ExpectRecords(const DirectoryPtr& directory, std::size_t count,
                     std::uint64_t torn_bytes) const {
    const TableModel& expected = states_[count];
    for (const bool read_only : {true, false}) {
      const Files before = FilesOf(*directory);
      const auto table = Open(directory, read_only);
      ASSERT_TRUE(table.ok()) << table.status().ToString();
      ASSERT_EQ(table->recovery().torn_bytes, torn_bytes);
      ASSERT_EQ(table->recovery().num_batches, count);
      ASSERT_EQ(Difference(*table, expected), "");
      if (read_only) {
        ASSERT_EQ(FilesOf(*directory), before);
      }
    }
    const auto again = Open(directory, false);
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    ASSERT_EQ(again->recovery().torn_bytes, 0U);
    ASSERT_EQ(DeepDifference(*again, expected), "");
  }

  /// Of records that are whole in this many bytes of the log.
  [[nodiscard]] std::size_t NumRecordsIn(std::uint64_t size) const {
    return static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), size) -
                                    ends_.begin()) -
           1;
  }

  const TableWorkload workload_{GetParam()};
  DirectoryPtr whole_;
  DirectoryPtr closed_;
  Files files_;                      // Of whole_.
  std::uint64_t durable_bytes_ = 0;  // Of the log, as the manifest has it.
  std::vector<std::uint64_t> ends_;  // Of the header, and of each record.
  std::vector<TableModel> states_;   // After so many records.

 private:
  void FindRecords() {
    const Bytes& log = files_.at(NameOf("wal-"));
    const auto contents = wal::ParseWal(log, "log");
    ASSERT_TRUE(contents.ok()) << contents.status().ToString();
    ends_ = {sizeof(wal::FileHeader)};
    for (const wal::WalRecord& record : contents->records) {
      ends_.push_back(static_cast<std::uint64_t>(record.payload.data() - log.data()) +
                      wal::PaddedBytes(record.payload.size()));
    }
    ASSERT_EQ(ends_.back(), log.size());
    for (std::size_t i = 0; i <= workload_.size(); ++i) {
      if (states_.empty() || states_.back().rows() != workload_.After(i).rows()) {
        states_.push_back(workload_.After(i));
      }
    }
    ASSERT_EQ(states_.size(), ends_.size()) << "each record changes something";
    ASSERT_GE(ends_.size(), 4U);
  }
};

TEST_P(TableDamageTest, AFlippedByteOfTheLog) {
  const std::string name = NameOf("wal-");
  const Bytes& log = files_.at(name);
  const std::size_t num_records = ends_.size() - 1;
  const std::uint64_t last_begin = ends_[num_records - 1];
  ASSERT_LE(durable_bytes_, last_begin);
  for (std::size_t at = 0; at < log.size(); ++at) {
    SCOPED_TRACE(::testing::Message() << "byte " << at << " of " << log.size());
    for (const auto mask : {std::byte{0xff}, static_cast<std::byte>(1U << (at % 8))}) {
      const DirectoryPtr directory = With(name, Flipped(log, at, mask));
      // Of the last record nothing tells whether it had been synced.
      if (at >= last_begin && IsLeftOut(at)) {
        continue;
      }
      if (at >= last_begin) {
        ExpectRecords(directory, num_records - 1, log.size() - last_begin);
      } else {
        ExpectRefused(directory, name);
      }
      if (HasFailure()) {
        return;
      }
    }
  }
}

TEST_P(TableDamageTest, OfAClosedTableNothingIsTornOff) {
  const std::string name = NameOf("wal-");
  const Bytes log = FilesOf(*closed_).at(name);
  for (std::size_t at = 0; at < log.size(); ++at) {
    SCOPED_TRACE(::testing::Message() << "byte " << at << " of " << log.size());
    for (const Bytes& bytes : {Flipped(log, at, std::byte{0xff}), Cut(log, at)}) {
      const DirectoryPtr directory = closed_->AfterCrash(AfterPowerCut::kAll, 0);
      directory->Overwrite(name, bytes);
      ExpectRefused(directory, name);
      if (HasFailure()) {
        return;
      }
    }
  }
}

TEST_P(TableDamageTest, ALogThatWasCut) {
  const std::string name = NameOf("wal-");
  const Bytes& log = files_.at(name);
  for (std::size_t size = 0; size < log.size(); ++size) {
    SCOPED_TRACE(::testing::Message() << size << " of " << log.size() << " bytes are left");
    const DirectoryPtr directory = With(name, Cut(log, size));
    if (size < durable_bytes_) {
      ExpectRefused(directory, name);
    } else if (!IsLeftOut(size)) {
      const std::size_t count = NumRecordsIn(size);
      ExpectRecords(directory, count, size - ends_[count]);
    }
    if (HasFailure()) {
      return;
    }
  }
}

TEST_P(TableDamageTest, ALogWithSomethingAfterIt) {
  const std::string name = NameOf("wal-");
  const Bytes& log = files_.at(name);
  const std::size_t num_records = ends_.size() - 1;
  for (std::size_t extra = 1; extra < 200; extra += 7) {
    for (const auto fill : {std::byte{0}, std::byte{0x5a}}) {
      SCOPED_TRACE(::testing::Message() << extra << " bytes of " << static_cast<int>(fill));
      Bytes longer = log;
      longer.resize(log.size() + extra, fill);
      ExpectRecords(With(name, std::move(longer)), num_records, extra);
    }
  }
}

TEST_P(TableDamageTest, AFlippedByteOfAnotherFile) {
  for (const char* const prefix : {"manifest-", "model-"}) {
    const std::string name = NameOf(prefix);
    const Bytes& bytes = files_.at(name);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      SCOPED_TRACE(::testing::Message() << name << ", byte " << at << " of " << bytes.size());
      for (const auto mask : {std::byte{0xff}, static_cast<std::byte>(1U << (at % 8))}) {
        ExpectRefused(With(name, Flipped(bytes, at, mask)), name);
      }
      if (HasFailure()) {
        return;
      }
    }
  }
}

TEST_P(TableDamageTest, AnotherFileThatWasCut) {
  for (const char* const prefix : {"manifest-", "model-"}) {
    const std::string name = NameOf(prefix);
    const Bytes& bytes = files_.at(name);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      SCOPED_TRACE(::testing::Message() << name << ", " << size << " bytes of " << bytes.size());
      ExpectRefused(With(name, Cut(bytes, size)), name);
      if (HasFailure()) {
        return;
      }
    }
  }
}

TEST_P(TableDamageTest, AFileThatIsGone) {
  for (const char* const prefix : {"wal-", "model-"}) {
    const std::string name = NameOf(prefix);
    const DirectoryPtr directory = whole_->AfterCrash(AfterPowerCut::kAll, 0);
    ASSERT_TRUE(directory->Remove(name).ok());
    const Files before = FilesOf(*directory);
    for (const bool read_only : {true, false}) {
      const auto table = Open(directory, read_only);
      ASSERT_FALSE(table.ok());
      ASSERT_THAT(table.status().message(), HasSubstr(name));
      ASSERT_EQ(FilesOf(*directory), before);
    }
  }
}

TEST_P(TableDamageTest, CreateDoesNotTakeADamagedTableForNone) {
  const std::string name = NameOf("manifest-");
  const Bytes& bytes = files_.at(name);
  for (const DirectoryPtr& directory :
       {With(name, Flipped(bytes, bytes.size() / 2, std::byte{1})), With(name, {}),
        With(name, Flipped(bytes, 0, std::byte{1}))}) {
    const Files before = FilesOf(*directory);
    ASSERT_FALSE(workload_.Create(directory).ok());
    ASSERT_EQ(FilesOf(*directory), before);
  }
}

TEST_P(TableDamageTest, CreateLeavesTheLogsOfALostManifest) {
  const DirectoryPtr directory = whole_->AfterCrash(AfterPowerCut::kAll, 0);
  ASSERT_TRUE(directory->Remove(NameOf("manifest-")).ok());
  const Files before = FilesOf(*directory);
  ASSERT_FALSE(workload_.Create(directory).ok());
  ASSERT_EQ(FilesOf(*directory), before);
}

TEST_P(TableDamageTest, VerifyFindsDamageWhileTheTableIsOpen) {
  const DirectoryPtr directory = whole_->AfterCrash(AfterPowerCut::kAll, 0);
  auto table = Open(directory, false);
  ASSERT_TRUE(table.ok());
  Rng random(8);
  const std::vector<TableRow> rows = {RandomRow(workload_.kind(), 1, &random)};
  ASSERT_TRUE(table->Put(*BatchOf(workload_.kind(), rows)).ok());
  ExpectVerifySeesDamage(*table, directory.get());
}

const TableWorkloadOptions kWorkloads[] = {
    {.kind = {.key = KeyKind::kUtf8, .dim = 2}, .small = true},
    {.kind = {.key = KeyKind::kNone,
              .element = ElementKind::kFloat16,
              .metric = Metric::kCosine,
              .dim = 2},
     .has_model = true,
     .small = true},
};

INSTANTIATE_TEST_SUITE_P(Workloads, TableDamageTest, ::testing::ValuesIn(kWorkloads),
                         [](const auto& tested) {
                           return tested.index == 0 ? "TextKeysTrained" : "NoKeysGivenModel";
                         });

}  // namespace
}  // namespace forebay::testing
