// Create, Open and Close: what is there again, and who may write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/sanitizers.h"
#include "support/shared_directory.h"
#include "table_words.h"

namespace forebay {
namespace {

using arrow::compute::literal;
using table_test::MakeTable;
using table_test::Rows;
using table_test::Text;
using table_test::TextOf;
using table_test::Words;
using table_test::WordSchema;
using table_test::WordTable;
using ::testing::HasSubstr;

constexpr const char* kTwo = R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])";

class TableOpenTest : public ::testing::Test {
 protected:
  TableOpenTest() {
    const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            ("forebay-" + std::string(test->name()) + "-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
  }
  ~TableOpenTest() override { std::filesystem::remove_all(path_); }

  std::filesystem::path path_;
};

TEST_F(TableOpenTest, EverythingIsThereAgain) {
  std::string rows;
  {
    auto table = Table::Create(path_, WordTable());
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    ASSERT_TRUE(table->Put(*Rows(kTwo)).ok());
    ASSERT_TRUE(table->Put(*Rows(R"([["b", 3, [0, 2]], ["c", 4, [1, 1]]])")).ok());
    ASSERT_EQ(*table->Delete(*Words(R"(["a"])")), 1U);
    rows = TextOf(*table, {"_rowid", "word", "n", "vector"});
    EXPECT_OK(table->Close());
  }
  for (int i = 0; i < 3; ++i) {
    auto table = Table::Open(path_);
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    EXPECT_EQ(TextOf(*table, {"_rowid", "word", "n", "vector"}), rows);
    EXPECT_EQ(table->recovery().num_batches, 3U);
    EXPECT_EQ(table->recovery().num_rows, 4U);
    EXPECT_EQ(table->recovery().num_deaths, 2U);
    EXPECT_EQ(table->recovery().torn_bytes, 0U);
    EXPECT_EQ(table->stats()->writer_epoch, static_cast<std::uint64_t>(i) + 2);
    EXPECT_EQ(table->primary_key(), "word");
    EXPECT_EQ(table->vector_column(), "vector");
  }
  auto table = Table::Open(path_);
  const auto report = table->Put(*Rows(R"([["c", 9, [1, 1]]])"));
  EXPECT_EQ(report->first_row_id, 4U);
  EXPECT_EQ(report->sequence_number, 4U);
  EXPECT_EQ(report->num_replaced, 1U);
}

TEST_F(TableOpenTest, OneWriter) {
  auto table = Table::Create(path_, WordTable());
  ASSERT_TRUE(table.ok());
  const auto second = Table::Open(path_);
  EXPECT_EQ(second.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_OK(table->Close());
  EXPECT_TRUE(Table::Open(path_).ok());
}

TEST_F(TableOpenTest, ReadOnlyBesideAWriter) {
  auto table = Table::Create(path_, WordTable());
  ASSERT_TRUE(table->Put(*Rows(kTwo)).ok());
  auto reader = Table::Open(path_, {.read_only = true});
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  ASSERT_TRUE(table->Put(*Rows(R"([["c", 3, [1, 1]]])")).ok());
  EXPECT_EQ(TextOf(*reader, {"word"}), "a; b");
  EXPECT_EQ(TextOf(*Table::Open(path_, {.read_only = true}), {"word"}), "a; b; c");
  for (const Status& refused : {reader->Put(*Rows(kTwo)).status(),
                                reader->Delete(*Words(R"(["a"])")).status(), reader->Train({})}) {
    EXPECT_THAT(refused.message(), HasSubstr("read only"));
  }
  EXPECT_TRUE(reader->Verify().ok());
}

TEST_F(TableOpenTest, ClosedIsClosed) {
  auto table = Table::Create(path_, WordTable());
  EXPECT_OK(table->Close());
  EXPECT_OK(table->Close());
  const std::vector<float> query = {1, 0};
  for (const Status& refused :
       {table->Put(*Rows(kTwo)).status(), table->Delete(*Words(R"(["a"])")).status(),
        table->Delete(literal(true)).status(), table->Search({query.data(), 1, 2}).status(),
        table->Get(*Words(R"(["a"])")).status(), table->Take({}).status(), table->Scan().status(),
        table->Count().status(), table->Train({}), table->Verify().status(),
        table->stats().status()}) {
    EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition) << refused.ToString();
    EXPECT_THAT(refused.message(), HasSubstr("closed"));
  }
}

TEST_F(TableOpenTest, WhereThereIsATableOrNone) {
  EXPECT_EQ(Table::Open(path_).status().os_error(), ENOENT);
  std::filesystem::create_directory(path_);
  EXPECT_EQ(Table::Open(path_).status().code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Table::Create(path_, WordTable()).ok());
  const auto second = Table::Create(path_, WordTable());
  EXPECT_EQ(second.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr("there is a table"));
}

TEST_F(TableOpenTest, OthersFilesAreLeftAlone) {
  std::filesystem::create_directory(path_);
  const char* const others[] = {"model-v1.frby", "manifest-of-cargo.tmp", "wal-mart.csv"};
  for (const char* const name : others) {
    std::ofstream(path_ / name) << "not ours";
  }
  EXPECT_FALSE(Table::Open(path_).ok());
  EXPECT_FALSE(std::filesystem::exists(path_ / "LOCK"));
  ASSERT_TRUE(Table::Create(path_, WordTable()).ok());
  ASSERT_TRUE(Table::Open(path_).ok());
  for (const char* const name : others) {
    EXPECT_TRUE(std::filesystem::exists(path_ / name)) << name;
  }
}

TEST_F(TableOpenTest, LogsOfClosedTablesStay) {
  ASSERT_TRUE(Table::Create(path_, WordTable()).ok());
  std::uintmax_t most = 0;
  for (int i = 0; i < 40; ++i) {
    auto table = Table::Open(path_);
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    const std::string row = "[[\"w" + std::to_string(i) + "\", 1, [1, 0]]]";
    ASSERT_EQ(table->Put(*Rows(row)).status().ToString(), "ok");
    ASSERT_EQ(*table->Count(), static_cast<std::uint64_t>(i) + 1);
    ASSERT_EQ(table->Verify()->num_log_records, static_cast<std::uint64_t>(i) + 1);
    std::uintmax_t num_logs = 0;
    for (const auto& file : std::filesystem::directory_iterator(path_)) {
      num_logs += file.path().filename().string().starts_with("wal-") ? 1U : 0U;
    }
    most = std::max(most, num_logs);
  }
  EXPECT_GT(most, 5U);
  EXPECT_LT(most, 20U);
}

TEST_F(TableOpenTest, DefinitionsThatAreNone) {
  const auto refused = [&](const TableDefinition& definition) {
    return Table::Create(path_, definition).status().message();
  };
  EXPECT_THAT(refused({}), HasSubstr("schema"));
  TableDefinition definition = WordTable();
  definition.vector_column = "n";
  EXPECT_THAT(refused(definition), HasSubstr("fixed_size_list"));
  definition.vector_column = "x";
  EXPECT_THAT(refused(definition), HasSubstr("'x'"));
  definition = WordTable();
  definition.primary_key = "vector";
  EXPECT_THAT(refused(definition), HasSubstr("int64, uint64 or utf8"));
  definition = WordTable();
  definition.schema =
      definition.schema->AddField(0, arrow::field("_rowid", arrow::int8())).ValueOrDie();
  EXPECT_THAT(refused(definition), HasSubstr("_rowid"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(TableOpenTest, OptionsThatAreNone) {
  ASSERT_TRUE(Table::Create(path_, WordTable()).ok());
  EXPECT_THAT(Table::Open(path_, {.num_threads = 0}).status().message(), HasSubstr("num_threads"));
  EXPECT_THAT(Table::Open(path_, {.merge_fan_in = 1}).status().message(),
              HasSubstr("merge_fan_in must be 0 or at least 2"));
  TableOptions options;
  options.sync = SyncPolicy::kInterval;
  options.sync_interval = std::chrono::milliseconds(0);
  EXPECT_THAT(Table::Open(path_, options).status().message(), HasSubstr("sync_interval"));
  options = {.on_bad_vectors = OnBadVectors::kFill, .fill_value = NAN};
  EXPECT_THAT(Table::Open(path_, options).status().message(), HasSubstr("fill_value"));
}

TEST_F(TableOpenTest, AModelIsThereAgain) {
  std::uint64_t fingerprint = 0;
  {
    auto table = Table::Create(path_, WordTable());
    std::string json = "[";
    for (int i = 0; i < 300; ++i) {
      json += (i == 0 ? "" : ",") + std::string("[\"w") + std::to_string(i) + "\",1,[" +
              std::to_string(i) + ",1]]";
    }
    ASSERT_TRUE(table->Put(*Rows(json + "]")).ok());
    // A second one takes the first one's place.
    ASSERT_TRUE(table->Train({.num_partitions = 1, .num_sub_vectors = 1}).ok());
    ASSERT_TRUE(table->Train({.num_partitions = 2, .num_sub_vectors = 2}).ok());
    ASSERT_TRUE(table->Train({.num_partitions = 2, .num_sub_vectors = 2}).ok());
    fingerprint = table->model()->fingerprint();
  }
  auto table = Table::Open(path_);
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_EQ(table->model()->fingerprint(), fingerprint);
  EXPECT_EQ(table->Verify()->num_codes, 300U);
  std::size_t num_models = 0;
  for (const auto& file : std::filesystem::directory_iterator(path_)) {
    num_models += file.path().filename().string().starts_with("model-") ? 1U : 0U;
  }
  EXPECT_EQ(num_models, 1U);
}

/// How often the log of a table with this policy is synced by ten puts.
std::uint64_t NumSyncs(SyncPolicy sync) {
  TableOptions options;
  options.sync = sync;
  options.sync_interval = std::chrono::hours(1);
  Table table = MakeTable(WordTable(), options);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(table.Put(*Rows(kTwo)).ok());
  }
  return table.stats()->num_syncs;
}

/// Exits with 0 when tables are made, or refused, wherever memory for the stacks of threads ends.
[[noreturn]] void MakeTablesWithoutRoomForThreads() {
  constexpr rlim_t kMegabyte = 1U << 20U;
  std::size_t num_refused = 0;
  for (rlim_t room = 4; room <= 64; room += 4) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + room * kMegabyte;
    ::setrlimit(RLIMIT_AS, &limit);
    {
      const auto made = Table::Impl::Create(
          std::make_unique<testing::SharedDirectory>(std::make_shared<FaultyDirectory>()),
          WordTable(), {.sync = SyncPolicy::kInterval, .flush_on_close = true});
      num_refused += made.ok() ? 0U : 1U;
    }
    limit.rlim_cur = before;
    ::setrlimit(RLIMIT_AS, &limit);
  }
  std::exit(num_refused > 0 ? 0 : 2);
}

TEST_F(TableOpenTest, ThreadsThatCannotBeStarted) {
  if (forebay::testing::kSanitized) {
    GTEST_SKIP() << "sanitizers need more memory than the test leaves";
  }
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(MakeTablesWithoutRoomForThreads(), ::testing::ExitedWithCode(0), "");
}

TEST_F(TableOpenTest, SyncPolicies) {
  EXPECT_EQ(NumSyncs(SyncPolicy::kAlways), 10U);
  EXPECT_EQ(NumSyncs(SyncPolicy::kInterval), 0U);
  EXPECT_EQ(NumSyncs(SyncPolicy::kNone), 0U);
}

TEST_F(TableOpenTest, AnIntervalPasses) {
  TableOptions options;
  options.sync = SyncPolicy::kInterval;
  options.sync_interval = std::chrono::milliseconds(1);
  Table table = MakeTable(WordTable(), options);
  ASSERT_TRUE(table.Put(*Rows(kTwo)).ok());
  while (table.stats()->num_syncs == 0) {
    std::this_thread::yield();
  }
  // Nothing new: nothing to sync.
  const std::uint64_t num_syncs = table.stats()->num_syncs;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(table.stats()->num_syncs, num_syncs);
}

}  // namespace
}  // namespace forebay
