// Tables that were written once, by each version of the format, and are kept: they open for ever,
// and hold what they held. tests/golden/README.md says how they were made.
//
// FOREBAY_WRITE_GOLDEN: a folder in which tables of this build's format are made.
#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/results.h"
#include "support/temporary_folder.h"
#include "table_words.h"

namespace forebay {
namespace {

namespace fs = std::filesystem;
using arrow::compute::literal;
using table_test::Compare;
using table_test::Rows;
using testing::Succeeds;
using testing::TemporaryFolder;

struct GoldenTable {
  std::string name;
  std::shared_ptr<arrow::DataType> element;
  Metric metric;
  std::optional<std::string> key;
  bool has_model;
};

std::vector<GoldenTable> GoldenTables() {
  return {{"text_l2", arrow::float32(), Metric::kL2, "word", true},
          {"plain_cosine", arrow::float64(), Metric::kCosine, std::nullopt, true},
          {"numbers_dot", arrow::float32(), Metric::kDot, "n", true},
          {"no_model", arrow::float32(), Metric::kL2, "word", false}};
}

std::shared_ptr<arrow::Schema> SchemaOf(const GoldenTable& golden) {
  return arrow::schema({arrow::field("word", arrow::utf8()), arrow::field("n", arrow::int64()),
                        arrow::field("vector", table_test::VectorType(golden.element))});
}

/// Rows [first, end); `version` is in what an upsert changes.
table_test::BatchPtr SomeRows(const GoldenTable& golden, int first, int end, int version) {
  std::string json;
  for (int i = first; i < end; ++i) {
    const bool is_null = golden.key != "word" && i % 10 == 3;
    json += fmt::format("{}[{}, {}, [{}, {}]]", json.empty() ? "" : ", ",
                        is_null ? "null" : fmt::format("\"w{}\"", i), i, i % 7 - 2.75,
                        i * 5 % 11 + version - 4.5);
  }
  return Rows(SchemaOf(golden), "[" + json + "]");
}

/// All rows of a batch with vectors: what is before them, then word, n and the vector.
std::string TextOfRows(const arrow::RecordBatch& batch) {
  std::string text;
  const auto vectors =
      std::static_pointer_cast<arrow::FixedSizeListArray>(batch.GetColumnByName("vector"));
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    for (const char* const name : {"query_index", "_rowid", "word", "n"}) {
      const auto column = batch.GetColumnByName(name);
      text += column == nullptr ? "" : column->GetScalar(row).ValueOrDie()->ToString() + " ";
    }
    const auto vector = vectors->value_slice(row);
    for (std::int64_t i = 0; i < vector->length(); ++i) {
      text += vector->GetScalar(i).ValueOrDie()->ToString() + (i == 0 ? " " : "");
    }
    if (const auto distances = batch.GetColumnByName("_distance"); distances != nullptr) {
      text += fmt::format(" {:.5g}", static_cast<const arrow::FloatArray&>(*distances).Value(row));
    }
    text += '\n';
  }
  return text;
}

std::string ContentOf(const Table& table) {
  const auto reader = table.Scan(nullptr, {"_rowid", "word", "n", "vector"});
  if (!reader.ok()) {
    return reader.status().ToString();
  }
  return TextOfRows(*(*reader)->ToTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie());
}

std::string AnswersOf(const Table& table) {
  const float queries[] = {0.5F, 1, -2, 3, 1.25F, -3};
  const auto filter = Compare("less", "n", literal(55));
  std::string text;
  for (const auto* const f : {static_cast<const arrow::compute::Expression*>(nullptr), &filter}) {
    const auto found = table.Search(
        {queries, 3, 2},
        {.k = 4, .refine_factor = 100, .filter = f, .columns = {"_rowid", "word", "n", "vector"}});
    text += found.ok() ? TextOfRows(*found->rows) : found.status().ToString();
  }
  return text;
}

std::string ReadText(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Two generations, the older one with a mask, and a log with rows and a death in each.
void WriteTable(const GoldenTable& golden, Table* table) {
  ASSERT_THAT(table->Put(*SomeRows(golden, 0, 60, 0)), Succeeds());
  if (golden.has_model) {
    ASSERT_THAT(table->Train({.num_partitions = 3, .num_sub_vectors = 2, .num_bits = 4}),
                Succeeds());
  }
  ASSERT_THAT(table->Flush(), Succeeds());
  ASSERT_THAT(table->Put(*SomeRows(golden, 50, 75, 1)), Succeeds());
  ASSERT_THAT(table->Delete(Compare("less", "n", literal(5))), Succeeds());
  ASSERT_THAT(table->Flush(), Succeeds());
  ASSERT_THAT(table->Put(*SomeRows(golden, 75, 79, 0)), Succeeds());
  ASSERT_THAT(table->Delete(Compare("equal", "n", literal(40))), Succeeds());
  ASSERT_THAT(table->Delete(Compare("equal", "n", literal(70))), Succeeds());
}

void ExpectHolds(const Table& table, const fs::path& golden) {
  EXPECT_EQ(ContentOf(table), ReadText(golden / "rows.txt"));
  EXPECT_EQ(AnswersOf(table), ReadText(golden / "answers.txt"));
  EXPECT_THAT(table.Verify(), Succeeds());
}

/// It opens, can be written, flushed and merged, and all the time holds what it held.
void CheckTable(const GoldenTable& golden, const fs::path& path) {
  ASSERT_TRUE(fs::exists(path / "rows.txt")) << path;
  {
    const auto table = Table::Open(path / "table", {.read_only = true});
    ASSERT_THAT(table, Succeeds());
    ExpectHolds(*table, path);
  }
  const TemporaryFolder copy;
  fs::copy(path / "table", copy.path(), fs::copy_options::recursive);
  auto table = Table::Open(copy.path());
  ASSERT_THAT(table, Succeeds());
  ASSERT_THAT(table->Put(*SomeRows(golden, 900, 905, 0)), Succeeds());
  ASSERT_THAT(table->Flush(), Succeeds());
  const auto deleted = table->Delete(Compare("greater_equal", "n", literal(900)));
  ASSERT_THAT(deleted, Succeeds());
  EXPECT_EQ(*deleted, 5U);
  ExpectHolds(*table, path);
  ASSERT_THAT(table->Merge(), Succeeds());
  ExpectHolds(*table, path);
  ASSERT_THAT(table->Close(), Succeeds());
  ExpectHolds(testing::Value(Table::Open(copy.path())), path);
}

TEST(TableGoldenTest, WhatThisBuildWritesHoldsThemToo) {
  const TemporaryFolder temporary;
  const char* const asked = std::getenv("FOREBAY_WRITE_GOLDEN");
  const fs::path folder = asked == nullptr ? temporary.path() : fs::path(asked);
  for (const GoldenTable& golden : GoldenTables()) {
    SCOPED_TRACE(golden.name);
    const fs::path path = folder / golden.name;
    fs::create_directories(path);
    auto table = Table::Create(path / "table", {.schema = SchemaOf(golden),
                                                .vector_column = "vector",
                                                .primary_key = golden.key,
                                                .metric = golden.metric});
    ASSERT_THAT(table, Succeeds());
    ASSERT_NO_FATAL_FAILURE(WriteTable(golden, &*table));
    std::ofstream(path / "rows.txt") << ContentOf(*table);
    std::ofstream(path / "answers.txt") << AnswersOf(*table);
    ASSERT_THAT(table->Close(), Succeeds());
    CheckTable(golden, path);
  }
}

TEST(TableGoldenTest, GenerationsOfVersion2OpenForEver) {
  for (const GoldenTable& golden : GoldenTables()) {
    SCOPED_TRACE(golden.name);
    const fs::path path = fs::path(FOREBAY_TESTS_DIR) / "golden/table_2" / golden.name;
    CheckTable(golden, path);
    const auto stats =
        testing::Value(testing::Value(Table::Open(path / "table", {.read_only = true})).stats());
    ASSERT_EQ(stats.generations.size(), 2U);
    EXPECT_GT(stats.generations[0].mask_bytes, 0U);
    EXPECT_EQ(stats.generations[0].index_bytes > 0, golden.has_model);
    EXPECT_EQ(stats.generations[1].key_bytes > 0, golden.key.has_value());
    EXPECT_GT(stats.wal_bytes, 100U);
  }
}

TEST(TableGoldenTest, TablesOfVersion1OpenForEver) {
  for (const GoldenTable& golden : GoldenTables()) {
    SCOPED_TRACE(golden.name);
    CheckTable(golden, fs::path(FOREBAY_TESTS_DIR) / "golden/table_1" / golden.name);
  }
}

}  // namespace
}  // namespace forebay
