// Flush and Merge: rows become generations, and stay what they were.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/shared_directory.h"
#include "table_words.h"

namespace forebay {
namespace {

using arrow::compute::literal;
using table_test::BatchPtr;
using table_test::Compare;
using table_test::Rows;
using table_test::Text;
using table_test::TextOf;
using table_test::Words;
using table_test::WordTable;
using ::testing::HasSubstr;

/// Merges only when it is told to.
TableOptions Options(std::size_t max_memtable_rows = 1000) {
  return {.max_memtable_rows = max_memtable_rows, .merge_fan_in = 0};
}

class TableFlushTest : public ::testing::Test {
 protected:
  void Make(const TableDefinition& definition = WordTable(),
            const TableOptions& options = Options()) {
    options_ = options;
    auto made = Table::Impl::Create(std::make_unique<testing::SharedDirectory>(directory_),
                                    definition, options);
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    table_.emplace(*std::move(made));
  }

  void Reopen() {
    ASSERT_EQ(table_->Close().ToString(), "ok");
    Open();
  }
  /// As a power cut leaves it.
  void Recover() {
    auto left = directory_->AfterCrash(AfterPowerCut::kNothing, 0);
    table_.reset();
    directory_ = std::move(left);
    Open();
  }

  void Put(const std::string& json) {
    const auto put = table_->Put(*Rows(json));
    ASSERT_TRUE(put.ok()) << put.status().ToString();
  }

  [[nodiscard]] std::string Content() const { return TextOf(*table_, {"_rowid", "word", "n"}); }
  [[nodiscard]] std::string Nearest(float x, float y, std::size_t k) const {
    const float query[] = {x, y};
    const auto found = table_->Search({query, 1, 2}, {.k = k, .columns = {"n"}});
    return found.ok() ? Text(*found->rows) : found.status().ToString();
  }
  [[nodiscard]] std::vector<std::string> Files(const std::string& part) const {
    std::vector<std::string> files;
    const std::vector<std::string> all = directory_->List().value();
    for (const std::string& name : all) {
      if (name.find(part) != std::string::npos) {
        files.push_back(name);
      }
    }
    return files;
  }
  [[nodiscard]] std::vector<GenerationStats> Generations() const {
    return table_->stats()->generations;
  }

  std::shared_ptr<FaultyDirectory> directory_ = std::make_shared<FaultyDirectory>();
  std::optional<Table> table_;
  TableOptions options_;

  void Open() {
    table_.reset();
    auto opened =
        Table::Impl::Open(std::make_unique<testing::SharedDirectory>(directory_), options_);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    table_.emplace(*std::move(opened));
  }
};

TEST_F(TableFlushTest, RowsAreThereBeforeAndAfter) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  Put(R"([["c", 3, [2, 2]]])");
  const std::string content = "0 a 1; 1 b 2; 2 c 3";
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_EQ(Content(), content);
    EXPECT_EQ(Nearest(2, 2, 2), "0 0 c 3; 0 5 a 1");
    const auto got = table_->Get(*Words(R"(["c", "x", "a"])"), {"word", "n"});
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(Text(**got), "c 3; a 1");
    const std::uint64_t row_ids[] = {2, 1, 7};
    EXPECT_EQ(Text(*table_->Take(row_ids, {"word"}).value()), "c; b");
    EXPECT_EQ(table_->Count().value(), 3U);
    ASSERT_EQ(Generations().size(), 1U);
    EXPECT_EQ(Generations()[0].num_rows, 2U);
    EXPECT_TRUE(table_->Verify().ok()) << table_->Verify().status().ToString();
    Reopen();
    EXPECT_EQ(table_->recovery().num_rows, 1U);
  }
}

TEST_F(TableFlushTest, AnEmptyMemTableIsNotFlushed) {
  Make();
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_TRUE(Generations().empty());
  Put(R"([["a", 1, [1, 0]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_EQ(Generations().size(), 1U);
}

TEST_F(TableFlushTest, UpsertsAndDeletesReachIntoGenerations) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]], ["c", 3, [1, 1]], ["d", 4, [3, 3]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  const auto upsert = table_->Put(*Rows(R"([["b", 20, [0, 1]]])"));
  ASSERT_TRUE(upsert.ok());
  EXPECT_EQ(upsert->num_replaced, 1U);
  EXPECT_EQ(table_->Delete(*Words(R"(["c", "x"])")).value(), 1U);
  EXPECT_EQ(table_->Delete(Compare("equal", "n", literal(4))).value(), 1U);
  const std::string content = "0 a 1; 4 b 20";
  EXPECT_EQ(Content(), content);
  EXPECT_EQ(Nearest(0, 1, 3), "0 0 b 20; 0 2 a 1") << "a dead row is masked before the top k";
  Recover();  // The deaths are in the log.
  EXPECT_EQ(Content(), content);
  ASSERT_EQ(table_->Flush().ToString(), "ok");  // And now in a mask.
  ASSERT_EQ(Files("-mask-").size(), 1U);
  const std::uint64_t mask_bytes = directory_->Read(Files("-mask-")[0])->size();
  EXPECT_EQ(Generations()[0].mask_bytes, mask_bytes);
  Recover();
  EXPECT_EQ(Generations()[0].mask_bytes, mask_bytes);
  EXPECT_EQ(table_->recovery().num_batches, 0U);
  EXPECT_EQ(Content(), content);
  EXPECT_EQ(Generations()[0].num_dead, 3U);
  EXPECT_EQ(table_->Delete(*Words(R"(["a", "b", "c"])")).value(), 2U);
  Reopen();
  EXPECT_EQ(Content(), "");
}

TEST_F(TableFlushTest, AFullMemTableIsFlushedByItself) {
  Make(WordTable(), Options(100));
  std::string content;
  for (int i = 0; i < 1000; i += 7) {
    std::string json;
    for (int n = i; n < i + 7; ++n) {
      json += (json.empty() ? "[[\"w" : ", [\"w") + std::to_string(n) + "\", " + std::to_string(n) +
              ", [" + std::to_string(n) + ", 1]]";
      content += (content.empty() ? "w" : "; w") + std::to_string(n);
    }
    Put(json + "]");
  }
  EXPECT_EQ(TextOf(*table_, {"word"}), content);
  EXPECT_GE(table_->stats()->num_flushes, 9U);
  EXPECT_EQ(Nearest(500, 1, 1), "0 0 w500 500");
  Reopen();
  EXPECT_EQ(TextOf(*table_, {"word"}), content);
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  EXPECT_EQ(Generations().size(), 1U);
  EXPECT_EQ(TextOf(*table_, {"word"}), content);
}

TEST_F(TableFlushTest, ABatchThatNoMemTableHoldsIsRefused) {
  Make(WordTable(), Options(2));
  Put(R"([["a", 1, [1, 0]]])");
  const auto put = table_->Put(*Rows(R"([["b", 1, [1, 0]], ["c", 1, [1, 0]], ["d", 1, [1, 0]]])"));
  EXPECT_EQ(put.status().code(), StatusCode::kCapacityExceeded);
  EXPECT_THAT(put.status().message(), HasSubstr("may hold 2 rows"));
  EXPECT_EQ(TextOf(*table_, {"word"}), "a");
  Put(R"([["b", 2, [1, 0]]])");
  EXPECT_EQ(TextOf(*table_, {"word"}), "a; b");
}

TEST_F(TableFlushTest, AScanKeepsItsRowsAcrossFlushAndMerge) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  Put(R"([["c", 3, [1, 1]]])");
  const auto before = table_->Scan(nullptr, {"_rowid", "word", "n"}).value();
  EXPECT_EQ(table_->Delete(*Words(R"(["a"])")).value(), 1U);
  Put(R"([["c", 4, [1, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  EXPECT_EQ(Content(), "1 b 2; 3 c 4");
  const auto all = before->ToTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie();
  EXPECT_EQ(Text(*all), "0 a 1; 1 b 2; 2 c 3");
}

TEST_F(TableFlushTest, AMergeLeavesDeadRowsOut) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]], ["c", 3, [1, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  Put(R"([["b", 20, [0, 2]], ["d", 4, [5, 5]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_EQ(table_->Delete(*Words(R"(["a"])")).value(), 1U);
  Put(R"([["d", 40, [6, 6]]])");  // Its older row dies in a generation, its own is not flushed.
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  const std::string content = "2 c 3; 3 b 20; 5 d 40";
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_EQ(Content(), content);
    ASSERT_EQ(Generations().size(), 1U);
    EXPECT_EQ(Generations()[0].num_rows, 2U);
    EXPECT_EQ(Generations()[0].num_dead, 0U);
    EXPECT_EQ(Text(*table_->Get(*Words(R"(["a", "b", "c", "d"])"), {"n"}).value()), "20; 3; 40");
    EXPECT_EQ(Nearest(0, 2, 1), "0 0 b 20");
    EXPECT_TRUE(table_->Verify().ok()) << table_->Verify().status().ToString();
    EXPECT_EQ(Files("generation-").size(), 2U) << "rows and keys of one; no index, as no model";
    Recover();
  }
}

TEST_F(TableFlushTest, GenerationsWithoutALiveRowAreGone) {
  Make();
  Put(R"([["a", 1, [1, 0]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_EQ(table_->Delete(*Words(R"(["a"])")).value(), 1U);
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  EXPECT_TRUE(Generations().empty());
  EXPECT_TRUE(Files("generation-").empty());
  Recover();
  EXPECT_EQ(Content(), "");
  Put(R"([["a", 2, [1, 0]]])");
  EXPECT_EQ(Content(), "1 a 2") << "no _rowid is given twice";
}

BatchPtr Grid(std::int64_t first, std::int64_t count) {
  std::string json;
  for (std::int64_t n = first; n < first + count; ++n) {
    json += (json.empty() ? "[[\"w" : ", [\"w") + std::to_string(n) + "\", " + std::to_string(n) +
            ", [" + std::to_string(n % 20) + ", " + std::to_string(n / 20) + "]]";
  }
  return Rows(json + "]");
}

TEST_F(TableFlushTest, TrainingAndMergesGiveGenerationsTheirIndex) {
  Make();
  ASSERT_TRUE(table_->Put(*Grid(0, 200)).ok());
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Train({.num_partitions = 4, .num_sub_vectors = 2, .num_bits = 4}).ToString(),
            "ok");
  ASSERT_TRUE(table_->Put(*Grid(200, 100)).ok());
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(Generations().size(), 2U);
  const auto fingerprint = table_->model()->fingerprint();
  EXPECT_EQ(Generations()[0].model_fingerprint, std::nullopt);
  EXPECT_EQ(Generations()[1].model_fingerprint, fingerprint);
  EXPECT_EQ(Nearest(7, 3, 1), "0 0 w67 67") << "compared one by one";
  EXPECT_EQ(Nearest(7, 13, 1), "0 0 w267 267") << "found by the index";
  ASSERT_EQ(table_->Merge().ToString(), "ok");  // Encodes the first.
  ASSERT_TRUE(table_->Put(*Grid(300, 50)).ok());
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_EQ(table_->Delete(*Words(R"(["w0", "w349"])")).value(), 2U);
  ASSERT_EQ(table_->Merge().ToString(), "ok");  // Copies codes.
  Recover();
  ASSERT_EQ(Generations().size(), 1U);
  EXPECT_EQ(Generations()[0].model_fingerprint, fingerprint);
  const auto verified = table_->Verify();
  ASSERT_TRUE(verified.ok()) << verified.status().ToString();
  EXPECT_EQ(verified->num_codes, 348U) << "each is what its vector encodes to";
  EXPECT_EQ(Nearest(7, 3, 1), "0 0 w67 67");
  EXPECT_EQ(Nearest(8, 17, 1), "0 0 w348 348");
}

TEST_F(TableFlushTest, DriftIsSeenAndMended) {
  const TrainOptions train = {.num_partitions = 1, .num_sub_vectors = 2, .num_bits = 4};
  Make();
  ASSERT_TRUE(table_->Put(*Grid(0, 400)).ok());
  ASSERT_EQ(table_->Train(train).ToString(), "ok");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_TRUE(table_->Put(*Grid(10'000, 400)).ok());  // Far away.
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  const auto check = [&] {
    ASSERT_EQ(Generations().size(), 2U);
    EXPECT_NEAR(Generations()[0].drift.value(), 1.0, 0.2) << "rows that it was trained on";
    EXPECT_GT(Generations()[1].drift.value(), 100.0);
    EXPECT_GT(Generations()[1].quantization_error.value(), 400.0 * 400.0);
  };
  check();
  Recover();
  check();
  ASSERT_EQ(table_->Train(train).ToString(), "ok");
  EXPECT_EQ(Generations()[1].drift, std::nullopt) << "an older model's";
  EXPECT_TRUE(Generations()[1].quantization_error.has_value());
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  EXPECT_NEAR(Generations()[0].drift.value(), 1.0, 0.3);
}

TEST_F(TableFlushTest, DriftWithAModelThatWasGivenIsSinceTheFirstFlush) {
  Make();
  ASSERT_TRUE(table_->Put(*Grid(0, 400)).ok());
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_EQ(Generations()[0].quantization_error, std::nullopt) << "no model";
  ASSERT_EQ(table_->Train({.num_partitions = 1, .num_sub_vectors = 2, .num_bits = 4}).ToString(),
            "ok");
  TableDefinition definition = WordTable();
  definition.model = table_->model();
  table_.reset();
  directory_ = std::make_shared<FaultyDirectory>();
  Make(definition);
  for (const std::int64_t first : {10'000, 0}) {
    ASSERT_TRUE(table_->Put(*Grid(first, 100)).ok());
    ASSERT_EQ(table_->Flush().ToString(), "ok");
  }
  Reopen();
  EXPECT_EQ(Generations()[0].drift, 1.0);
  EXPECT_LT(Generations()[1].drift.value(), 0.01);
}

TEST_F(TableFlushTest, SourcesOfOneModelAreSearchedAsOne) {
  Make();
  ASSERT_TRUE(table_->Put(*Grid(0, 200)).ok());
  ASSERT_EQ(table_->Train({.num_partitions = 8, .num_sub_vectors = 2, .num_bits = 4}).ToString(),
            "ok");
  for (const std::int64_t first : {200, 300, 400}) {
    ASSERT_EQ(table_->Flush().ToString(), "ok");
    ASSERT_TRUE(table_->Put(*Grid(first, 100)).ok());
  }
  const float query[] = {3, 4};
  const auto found = table_->Search({query, 1, 2}, {.k = 5, .nprobes = 3});
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  ASSERT_EQ(found->sources.size(), 1U) << "one set of coarse distances and tables, one heap";
  EXPECT_EQ(found->sources[0].source, "generation 1, generation 2, generation 3, memtable");
  EXPECT_EQ(found->sources[0].probed_partitions, 3U) << "each once for all of them";
  EXPECT_EQ(found->sources[0].num_rows, 500U);
}

TEST_F(TableFlushTest, MergesInTheBackgroundKeepTheirPace) {
  TableOptions options = Options();
  options.merge_fan_in = 2;
  options.merge_bytes_per_second = 20'000;
  Make(WordTable(), options);
  ASSERT_TRUE(table_->Put(*Grid(0, 250)).ok());
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_TRUE(table_->Put(*Grid(250, 250)).ok());
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  while (Generations().size() > 1) {
    ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // 500 vectors of 8 bytes.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(200));
  EXPECT_EQ(table_->Count().value(), 500U);
}

TEST_F(TableFlushTest, GenerationsOfOneSizeAreMergedInTheBackground) {
  TableOptions options = Options(10);
  options.merge_fan_in = 3;
  Make(WordTable(), options);
  for (std::int64_t first = 0; first < 1000; first += 10) {
    ASSERT_TRUE(table_->Put(*Grid(first, 10)).ok());
  }
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  Reopen();  // After the merge that was under way, or without it.
  ASSERT_TRUE(table_->Put(*Grid(1000, 1)).ok());
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_LT(Generations().size(), 40U);
  EXPECT_EQ(table_->stats()->num_failed_merges, 0U);
  EXPECT_EQ(table_->Count().value(), 1001U);
  EXPECT_EQ(Files("-keys").size(), Generations().size()) << "old files are gone";
}

TEST_F(TableFlushTest, AFlushThatFailsLosesNothingAndIsTriedAgain) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])");
  std::size_t num_failures = 0;
  for (std::uint64_t later = 0; later < 40; ++later) {
    Put(R"([["a", 1, [1, 0]]])");
    directory_->FailAt({.operation = directory_->num_operations() + later, .error = EIO});
    const Status flushed = table_->Flush();
    directory_->FailAt({});
    num_failures += flushed.ok() ? 0U : 1U;
    EXPECT_EQ(table_->Count().value(), 2U);
    if (!flushed.ok() && table_->Delete(*Words(R"(["x"])")).ok()) {
      EXPECT_EQ(Files("-rows.arrow").size(), Generations().size()) << "at operation " << later;
    }
    if (!table_->Put(*Rows(R"([["b", 2, [0, 1]]])")).ok()) {
      Recover();  // Nobody knew which manifest was there.
    }
    ASSERT_EQ(table_->Flush().ToString(), "ok") << "after operation " << later;
    EXPECT_EQ(table_->Count().value(), 2U);
  }
  EXPECT_GT(num_failures, 10U);
}

TEST_F(TableFlushTest, WhatACrashLeftIsRemovedAndOthersFilesAreNot) {
  Make();
  Put(R"([["a", 1, [1, 0]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  const std::string orphans[] = {"generation-00000000000000000099-rows.arrow",
                                 "generation-00000000000000000099-index",
                                 "generation-00000000000000000099-keys",
                                 "generation-00000000000000000001-mask-00000000000000000099"};
  const std::string others[] = {"generation-1-rows.arrow", "generation-notes",
                                "generation-00000000000000000099-index.bak"};
  for (const std::string& name : orphans) {
    ASSERT_TRUE(directory_->Create(name).ok());
  }
  for (const std::string& name : others) {
    ASSERT_TRUE(directory_->Create(name).ok());
  }
  Reopen();
  for (const std::string& name : orphans) {
    EXPECT_TRUE(Files(name).empty() || name.ends_with("-index")) << name;
  }
  EXPECT_EQ(Files("00099-index").size(), 1U);
  for (const std::string& name : others) {
    EXPECT_EQ(Files(name).size(), 1U) << name;
  }
  EXPECT_EQ(Content(), "0 a 1");
}

TEST_F(TableFlushTest, AFilterIsEvaluatedOnceForAGenerationAndStillSeesDeaths) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]], ["c", 3, [1, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  const arrow::compute::Expression filter = Compare("greater", "n", literal(1));
  EXPECT_EQ(table_->Count(&filter).value(), 2U);
  EXPECT_EQ(table_->Delete(*Words(R"(["b"])")).value(), 1U);
  EXPECT_EQ(table_->Count(&filter).value(), 1U);
  Put(R"([["a", 9, [1, 0]]])");
  EXPECT_EQ(table_->Count(&filter).value(), 2U);
  const float query[] = {0, 1};
  const auto found = table_->Search({query, 1, 2}, {.k = 3, .filter = &filter});
  EXPECT_EQ(Text(*found->rows), "0 1 c; 0 2 a");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  EXPECT_EQ(table_->Count(&filter).value(), 2U);
}

TEST_F(TableFlushTest, DeathsAloneAreFlushedToo) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_EQ(table_->Delete(*Words(R"(["a"])")).value(), 1U);
  const std::vector<std::string> log = Files("wal-");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  EXPECT_NE(Files("wal-"), log);
  EXPECT_EQ(Files("wal-").size(), 1U);
  Recover();
  EXPECT_EQ(table_->recovery().num_batches, 0U);
  EXPECT_EQ(Content(), "1 b 2");
  Put(R"([["a", 3, [1, 0]]])");
  Recover();
  EXPECT_EQ(Content(), "1 b 2; 2 a 3");
}

TEST_F(TableFlushTest, AModelThatAGenerationNamesIsNeverGone) {
  const auto train = [&](std::uint64_t seed) {
    return table_->Train({.num_partitions = 4, .num_sub_vectors = 2, .num_bits = 4, .seed = seed});
  };
  Make();
  ASSERT_TRUE(table_->Put(*Grid(0, 200)).ok());
  ASSERT_EQ(train(1).ToString(), "ok");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(train(2).ToString(), "ok");
  ASSERT_EQ(Files("model-").size(), 2U);
  for (std::uint64_t later = 0; later < 8; ++later) {
    directory_->CrashAt(directory_->num_operations() + later);
    static_cast<void>(train(1));  // The first one again.
    Recover();
    EXPECT_EQ(table_->Count().value(), 200U);
    ASSERT_EQ(train(2).ToString(), "ok");
  }
}

TEST_F(TableFlushTest, WhatCrashesLeaveIsFlushedWhereAMemTableHoldsLess) {
  Make();
  ASSERT_TRUE(table_->Put(*Grid(0, 200)).ok());
  options_.max_memtable_rows = 100;
  Recover();
  EXPECT_EQ(Generations().size(), 1U);
  EXPECT_EQ(table_->recovery().num_rows, 200U);
  Recover();
  EXPECT_EQ(table_->recovery().num_rows, 0U);
  EXPECT_EQ(table_->Count().value(), 200U);
}

TEST_F(TableFlushTest, AnOpeningWhoseFlushFailsLosesNothing) {
  for (const bool has_key : {true, false}) {
    TableDefinition definition = WordTable();
    if (!has_key) {
      definition.primary_key.reset();
    }
    TableOptions options = Options();
    options.sync = has_key ? SyncPolicy::kInterval : SyncPolicy::kNone;
    table_.reset();
    directory_ = std::make_shared<FaultyDirectory>();
    Make(definition, options);
    ASSERT_TRUE(table_->Put(*Grid(0, 200)).ok());
    ASSERT_EQ(table_->Close().ToString(), "ok");
    options_.max_memtable_rows = 100;
    const auto closed = directory_;
    std::size_t num_unflushed = 0;
    for (std::uint64_t operation = 1; operation <= 60; ++operation) {
      directory_ = closed->AfterCrash(AfterPowerCut::kNothing, 0);
      directory_->FailAt({.operation = directory_->num_operations() + operation, .error = ENOSPC});
      table_.reset();
      auto opened =
          Table::Impl::Open(std::make_unique<testing::SharedDirectory>(directory_), options_);
      directory_->FailAt({});
      if (opened.ok()) {
        num_unflushed += opened->stats()->generations.empty() ? 1U : 0U;
        EXPECT_EQ(opened->Count().value(), 200U) << "operation " << operation;
        static_cast<void>(opened->Close());
      }
      Open();
      EXPECT_EQ(Generations().size(), 1U);
      EXPECT_EQ(table_->Count().value(), 200U) << "operation " << operation;
    }
    EXPECT_GT(num_unflushed, 3U) << "it opens, and the next put tells";
  }
}

TEST_F(TableFlushTest, FilesThatAreMappedAreReadWhenTheyAreGone) {
  Make();
  Put(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Delete(*Words(R"(["a"])")).value(), 1U);
  ASSERT_EQ(table_->Flush().ToString(), "ok");  // The mask.
  const table::Manifest manifest = table::LoadManifest(*directory_).value();
  const auto files = table::MapGenerations(*directory_, manifest.generations);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  Put(R"([["b", 3, [0, 1]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  ASSERT_TRUE(Files("00001-rows").empty() && Files("00001-mask").empty());
  EXPECT_EQ(table::VerifyGenerationFiles(*directory_, files->front()).ToString(), "ok");
  const auto schema = table::TableSchema::Make(WordTable().schema, "vector", "word");
  const auto source =
      table::OpenGeneration(*directory_, files->front(), *schema, std::nullopt, /*verify=*/true);
  ASSERT_TRUE(source.ok()) << source.status().ToString();
  EXPECT_EQ(source->num_live(), 1U);
  EXPECT_EQ(table::MapGenerations(*directory_, manifest.generations).status().os_error(), ENOENT);
}

TEST_F(TableFlushTest, CloseFlushesIfItIsToldTo) {
  TableOptions options = Options();
  options.flush_on_close = true;
  Make(WordTable(), options);
  Put(R"([["a", 1, [1, 0]]])");
  Reopen();
  EXPECT_EQ(Generations().size(), 1U);
  EXPECT_EQ(table_->recovery().num_batches, 0U);
  EXPECT_EQ(Content(), "0 a 1");
}

TEST_F(TableFlushTest, AReaderOpensGenerationsToo) {
  Make();
  Put(R"([["a", 1, [1, 0]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  Put(R"([["b", 2, [1, 0]]])");
  TableOptions options = Options();
  options.read_only = true;
  auto reader = Table::Impl::Open(std::make_unique<testing::SharedDirectory>(directory_), options);
  ASSERT_TRUE(reader.ok()) << reader.status().ToString();
  EXPECT_EQ(TextOf(*reader, {"word"}), "a; b");
  Put(R"([["a", 3, [1, 0]], ["c", 4, [1, 0]]])");
  ASSERT_EQ(table_->Flush().ToString(), "ok");
  ASSERT_EQ(table_->Merge().ToString(), "ok");
  Put(R"([["d", 5, [1, 0]]])");
  EXPECT_EQ(TextOf(*reader, {"word"}), "a; b") << "its files are gone, its rows are not";
  const auto before = reader->Scan(nullptr, {"word"}).value();
  ASSERT_EQ(reader->Refresh().ToString(), "ok");
  EXPECT_EQ(TextOf(*reader, {"word", "n"}), "b 2; a 3; c 4; d 5");
  EXPECT_EQ(Text(*reader->Get(*Words(R"(["a", "d"])"), {"n"}).value()), "3; 5");
  EXPECT_EQ(before->ToTable().ValueOrDie()->num_rows(), 2);
  EXPECT_EQ(table_->Refresh().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader->Flush().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader->Merge().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace forebay
