// Search, Get, Take, Scan, Count, Train and Verify of one table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "table_words.h"

namespace forebay {
namespace {

using arrow::compute::literal;
using table_test::Compare;
using table_test::MakeTable;
using table_test::Rows;
using table_test::Text;
using table_test::TextOf;
using table_test::Words;
using table_test::WordTable;
using ::testing::HasSubstr;

constexpr const char* kFour =
    R"([["a", 1, [1, 0]], ["bb", 2, [0, 1]], ["ccc", 3, [2, 0]], ["dd", 4, [0, 5]]])";

VectorView Query(const std::vector<float>& query) { return {query.data(), query.size() / 2, 2}; }

/// Words in four heaps, so that a model of four partitions fits.
Table ManyWords(int num_words = 600, std::optional<IvfPqModel> model = std::nullopt) {
  TableDefinition definition = WordTable();
  definition.model = std::move(model);
  Table table = MakeTable(definition);
  std::mt19937 random(1);
  std::uniform_real_distribution<float> jitter(-1, 1);
  std::string json = "[";
  for (int i = 0; i < num_words; ++i) {
    json += (i == 0 ? "" : ",") + std::string("[\"w") + std::to_string(i) + "\"," +
            std::to_string(i) + ",[" + std::to_string(10.0F * float(i % 2) + jitter(random)) + "," +
            std::to_string(10.0F * float(i / 2 % 2) + jitter(random)) + "]]";
  }
  EXPECT_TRUE(table.Put(*Rows(json + "]")).ok());
  return table;
}

TrainOptions FourPartitions() { return {.num_partitions = 4, .num_sub_vectors = 2}; }

TEST(TableReadTest, TheNearestOfEachQuery) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
  const std::vector<float> queries = {1, 0, 0, 2};
  const auto found = table.Search(Query(queries), {.k = 2, .columns = {"n", "_rowid"}});
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->rows->schema()->ToString(),
            "query_index: uint32 not null\n_distance: float not null\nword: string\nn: int64\n"
            "_rowid: uint64 not null");
  EXPECT_EQ(Text(*found->rows), "0 0 a 1 0; 0 1 ccc 3 2; 1 1 bb 2 1; 1 5 a 1 0");
  ASSERT_EQ(found->sources.size(), 1U);
  EXPECT_EQ(found->sources[0].num_rows, 4U);
  EXPECT_EQ(found->sources[0].scanned_rows, 8U);
}

TEST(TableReadTest, KStaysK) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
  ASSERT_EQ(*table.Delete(*Words(R"(["a"])")), 1U);
  ASSERT_TRUE(table.Put(*Rows(R"([["ccc", 5, [9, 9]]])")).ok());
  const std::vector<float> query = {1, 0};
  EXPECT_EQ(Text(*table.Search(Query(query), {.k = 2})->rows), "0 2 bb; 0 26 dd");
  EXPECT_EQ(table.Search(Query(query), {.k = 9})->rows->num_rows(), 3);
  EXPECT_EQ(table.Search(Query(query), {.k = 0})->rows->num_rows(), 0);
}

TEST(TableReadTest, FilteredSearch) {
  Table table = ManyWords();
  ASSERT_TRUE(table.Train(FourPartitions()).ok());
  ASSERT_EQ(*table.Delete(*Words(R"(["w7"])")), 1U);
  const auto filter = Compare("less", "n", literal(8));
  const std::vector<float> query = {0, 0};
  const auto found =
      table.Search(Query(query), {.k = 100, .nprobes = 1, .filter = &filter, .columns = {"n"}});
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->rows->num_rows(), 7);
  const auto wrong = Compare("less", "m", literal(8));
  EXPECT_THAT(table.Search(Query(query), {.filter = &wrong}).status().message(), HasSubstr("m"));
}

TEST(TableReadTest, WithAModelAnswersAreTheSame) {
  Table table = ManyWords(20'000);  // So many that not all of them are compared.
  std::vector<float> queries = {0, 0, 10, 10, 3, 8};
  const auto exact = Text(*table.Search(Query(queries), {.k = 20})->rows);
  EXPECT_OK(table.Train(FourPartitions()));
  ASSERT_TRUE(table.model().has_value());
  const auto found = table.Search(Query(queries), {.k = 20, .nprobes = 4, .refine_factor = 500});
  EXPECT_EQ(Text(*found->rows), exact);
  EXPECT_EQ(found->sources[0].probed_partitions, 12U);
  // And of rows that came after, and without those that went.
  ASSERT_TRUE(table.Put(*Rows(R"([["new", 1, [3, 8]], ["w0", 1, [3, 8.5]]])")).ok());
  const auto after = table.Search({queries.data() + 4, 1, 2}, {.k = 2, .refine_factor = 10'000});
  EXPECT_EQ(Text(*after->rows), "0 0 new; 0 0.25 w0");
  EXPECT_EQ(*table.Count(), 20'001U);
}

TEST(TableReadTest, AModelGivenIsUsed) {
  Table trained = ManyWords();
  ASSERT_TRUE(trained.Train(FourPartitions()).ok());
  Table given = ManyWords(600, trained.model());
  EXPECT_EQ(given.model()->fingerprint(), trained.model()->fingerprint());
  const std::vector<float> query = {0, 0};
  EXPECT_EQ(Text(*given.Search(Query(query))->rows), Text(*trained.Search(Query(query))->rows));
  EXPECT_TRUE(given.Verify().ok());

  TableDefinition cosine = WordTable();
  cosine.metric = Metric::kCosine;
  cosine.model = trained.model();
  const auto refused = Table::Impl::Create(std::make_unique<FaultyDirectory>(), cosine, {});
  EXPECT_THAT(refused.status().message(), HasSubstr("cosine"));
}

TEST(TableReadTest, ADeadRowDoesNotMakeAFilterFail) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(R"([["a", 0, [1, 0]], ["b", 5, [0, 1]], ["c", 20, [0, 2]]])")).ok());
  const auto filter = arrow::compute::call(
      "greater",
      {arrow::compute::call("divide", {literal(10), arrow::compute::field_ref("n")}), literal(1)});
  EXPECT_THAT(table.Count(&filter).status().message(), HasSubstr("divide by zero"));
  ASSERT_EQ(*table.Delete(*Words(R"(["a"])")), 1U);
  EXPECT_EQ(TextOf(table, {"word"}, &filter), "b");
  EXPECT_EQ(*table.Count(&filter), 1U);
}

TEST(TableReadTest, FiltersThatAreNone) {
  Table table = MakeTable();  // Also where there is no row to look at.
  const std::vector<float> query = {1, 0};
  const arrow::compute::Expression nothing;
  const auto several = arrow::compute::call("cumulative_sum", {arrow::compute::field_ref("n")});
  const auto unknown = Compare("less", "m", literal(8));
  for (const auto* const filter : {&nothing, &several, &unknown}) {
    EXPECT_EQ(table.Count(filter).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(table.Search({query.data(), 1, 2}, {.filter = filter}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST(TableReadTest, BadQueries) {
  Table table = MakeTable();
  const std::vector<float> query = {1, NAN, 2};
  EXPECT_THAT(table.Search({query.data(), 1, 3}).status().message(), HasSubstr("dimension"));
  EXPECT_THAT(table.Search({query.data(), 1, 2}).status().message(), HasSubstr("query 0"));
  EXPECT_THAT(table.Search({query.data(), 0, 2}, {.refine_factor = 0}).status().message(),
              HasSubstr("refine_factor"));
  EXPECT_THAT(table.Search({query.data(), 0, 2}, {.columns = {"x"}}).status().message(),
              HasSubstr("no column 'x'"));
  EXPECT_THAT(table.Search({query.data(), 0, 2}, {.columns = {"n", "n"}}).status().message(),
              HasSubstr("twice"));
  EXPECT_EQ(table.Search({query.data(), 1, 1}).status().code(), StatusCode::kInvalidArgument);
}

TEST(TableReadTest, GetAndTake) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
  ASSERT_TRUE(table.Put(*Rows(R"([["bb", 7, [4, 4]]])")).ok());
  EXPECT_EQ(Text(*table.Get(*Words(R"(["dd", "x", "bb", "dd"])"), {"word", "n"}).value()),
            "dd 4; bb 7; dd 4");
  EXPECT_EQ(table.Get(*Words(R"(["a"])")).value()->schema()->ToString(),
            table.schema()->ToString());
  const std::uint64_t rows[] = {4, 1, 99, 0};
  EXPECT_EQ(Text(*table.Take(rows, {"word"}).value()), "bb; a");  // Row 1 was replaced.
}

TEST(TableReadTest, ScanAndCount) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
  ASSERT_EQ(*table.Delete(*Words(R"(["ccc"])")), 1U);
  const auto filter = Compare("greater", "n", literal(1));
  EXPECT_EQ(TextOf(table, {"_rowid", "word"}, &filter), "1 bb; 3 dd");
  EXPECT_EQ(*table.Count(&filter), 2U);
  EXPECT_EQ(*table.Count(), 3U);
  const auto all = table.Scan();
  EXPECT_EQ((*all)->schema()->ToString(), table.schema()->ToString());
}

TEST(TableReadTest, AReaderKeepsItsSnapshot) {
  std::shared_ptr<arrow::RecordBatchReader> reader;
  {
    Table table = MakeTable();
    ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
    reader = table.Scan(nullptr, {"word"}).value();
    ASSERT_EQ(*table.Delete(literal(true)), 4U);
    ASSERT_TRUE(table.Put(*Rows(R"([["new", 1, [1, 1]]])")).ok());
  }
  EXPECT_EQ(Text(*reader->ToTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie()),
            "a; bb; ccc; dd");
}

TEST(TableReadTest, TrainingNeedsRows) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
  EXPECT_EQ(table.Train({.num_partitions = 1, .num_sub_vectors = 1}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_FALSE(table.model().has_value());
  EXPECT_TRUE(table.Put(*Rows(R"([["e", 1, [1, 1]]])")).ok());
}

TEST(TableReadTest, Verify) {
  Table table = ManyWords();
  ASSERT_TRUE(table.Train(FourPartitions()).ok());
  ASSERT_EQ(*table.Delete(Compare("less", "n", literal(100))), 100U);
  ASSERT_TRUE(table.Put(*Rows(kFour)).ok());
  const auto report = table.Verify();
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->num_rows, 504U);
  EXPECT_EQ(report->num_codes, 604U);
  EXPECT_EQ(report->num_keys, 504U);
  EXPECT_EQ(report->num_log_records, 3U);
}

}  // namespace
}  // namespace forebay
