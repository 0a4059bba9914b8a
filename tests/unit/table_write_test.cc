// Put and Delete: what is taken, what is refused, and what is then there.
#include <arrow/array/array_dict.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/extension/uuid.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "table_words.h"

namespace forebay {
namespace {

using arrow::compute::literal;
using table_test::Array;
using table_test::Compare;
using table_test::MakeTable;
using table_test::Rows;
using table_test::TextOf;
using table_test::VectorType;
using table_test::Words;
using table_test::WordSchema;
using table_test::WordTable;
using ::testing::HasSubstr;

TEST(TableWriteTest, RowsGetRowIdsInTheirOrder) {
  Table table = MakeTable();
  const auto first = table.Put(*Rows(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])"));
  const auto second = table.Put(*Rows(R"([["c", null, [1, 1]]])"));
  ASSERT_TRUE(first.ok() && second.ok()) << first.status().ToString();
  EXPECT_EQ(first->num_rows, 2U);
  EXPECT_EQ(first->first_row_id, 0U);
  EXPECT_EQ(second->first_row_id, 2U);
  EXPECT_EQ(second->sequence_number, first->sequence_number + 1);
  EXPECT_EQ(TextOf(table, {"_rowid", "word", "n"}), "0 a 1; 1 b 2; 2 c null");
}

TEST(TableWriteTest, ARowReplacesTheOneOfItsKey) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]]])")).ok());
  const auto report = table.Put(*Rows(R"([["b", 3, [0, 2]], ["c", 4, [1, 1]], ["b", 5, [0, 3]]])"));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->num_rows, 3U);
  EXPECT_EQ(report->num_replaced, 2U);  // The older one, and the first of this batch.
  EXPECT_EQ(TextOf(table, {"word", "n", "_rowid"}), "a 1 0; c 4 3; b 5 4");
  EXPECT_EQ(table.stats()->num_rows, 3U);
  EXPECT_EQ(table.stats()->num_dead, 2U);
}

TEST(TableWriteTest, WithoutAKeyRowsAddUp) {
  TableDefinition definition = WordTable();
  definition.primary_key = std::nullopt;
  Table table = MakeTable(definition);
  ASSERT_TRUE(table.Put(*Rows(R"([["a", 1, [1, 0]]])")).ok());
  ASSERT_TRUE(table.Put(*Rows(R"([["a", 1, [1, 0]], [null, 2, [1, 0]]])")).ok());
  EXPECT_EQ(*table.Count(), 3U);
  EXPECT_EQ(table.Delete(*Words(R"(["a"])")).status().code(), StatusCode::kFailedPrecondition);
  const auto filter = Compare("equal", "word", literal("a"));
  EXPECT_EQ(*table.Delete(filter), 2U);
  EXPECT_EQ(TextOf(table, {"_rowid"}), "2");
}

TEST(TableWriteTest, ColumnsMayComeInAnyOrderAndForm) {
  Table table = MakeTable();
  const auto schema = arrow::schema(
      {arrow::field("vector", arrow::fixed_size_list(arrow::field("x", arrow::float32()), 2)),
       arrow::field("word", arrow::large_utf8(), /*nullable=*/false),
       arrow::field("n", arrow::int64())});
  const auto report = table.Put(*Rows(schema, R"([[[1, 0], "a", 1]])"));
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(TextOf(table, {"word", "n"}), "a 1");
}

TEST(TableWriteTest, WhatDoesNotFitIsRefusedAsAWhole) {
  Table table = MakeTable();
  const auto refused = [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    const auto report = table.Put(*batch);
    return report.ok() ? "it was taken" : report.status().message();
  };
  EXPECT_THAT(refused(Rows(R"([["a", 1, [1, 0]], [null, 2, [0, 1]]])")), HasSubstr("primary key"));
  EXPECT_THAT(refused(Rows(R"([["a", 1, [1, 0]], ["b", 2, null]])")), HasSubstr("row 1 is null"));
  EXPECT_THAT(refused(Rows(arrow::schema({arrow::field("word", arrow::utf8())}), R"([["a"]])")),
              HasSubstr("'n'"));
  const auto with_more =
      arrow::schema({arrow::field("word", arrow::utf8()), arrow::field("n", arrow::int64()),
                     arrow::field("vector", VectorType()), arrow::field("more", arrow::int8())});
  EXPECT_THAT(refused(Rows(with_more, R"([["a", 1, [1, 0], 1]])")), HasSubstr("more"));
  const auto another_type =
      arrow::schema({arrow::field("word", arrow::utf8()), arrow::field("n", arrow::float64()),
                     arrow::field("vector", VectorType())});
  EXPECT_THAT(refused(Rows(another_type, R"([["a", 1, [1, 0]]])")), HasSubstr("'n' must be int64"));
  const auto another_dim =
      arrow::schema({arrow::field("word", arrow::utf8()), arrow::field("n", arrow::int64()),
                     arrow::field("vector", VectorType(arrow::float32(), 3))});
  EXPECT_THAT(refused(Rows(another_dim, R"([["a", 1, [1, 0, 0]]])")),
              HasSubstr("'vector' must be"));
  EXPECT_EQ(*table.Count(), 0U);
  EXPECT_EQ(table.stats()->sequence_number, 0U);
}

TEST(TableWriteTest, BadVectorsAreDroppedOrFilled) {
  const std::string rows =
      R"([["a", 1, [1, 0]], ["b", 2, null], ["c", 3, [null, 1]], ["d", 4, [2, 2]]])";
  TableOptions options = {.on_bad_vectors = OnBadVectors::kDrop};
  Table dropping = MakeTable(WordTable(), options);
  const auto dropped = dropping.Put(*Rows(rows));
  ASSERT_TRUE(dropped.ok()) << dropped.status().ToString();
  EXPECT_EQ(dropped->num_dropped, 2U);
  EXPECT_EQ(TextOf(dropping, {"_rowid", "word"}), "0 a; 1 d");

  options = {.on_bad_vectors = OnBadVectors::kFill, .fill_value = 7};
  Table filling = MakeTable(WordTable(), options);
  const auto filled = filling.Put(*Rows(rows));
  ASSERT_TRUE(filled.ok()) << filled.status().ToString();
  EXPECT_EQ(filled->num_filled, 2U);
  const std::vector<float> query = {7, 7};
  const auto found = filling.Search({query.data(), 1, 2}, {.k = 2});
  EXPECT_EQ(table_test::Text(*found->rows), "0 0 b; 0 0 c");
}

TEST(TableWriteTest, ABatchOfNothingIsNothing) {
  Table table = MakeTable();
  const auto report = table.Put(*Rows("[]"));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->num_rows, 0U);
  EXPECT_EQ(table.stats()->sequence_number, 0U);
}

TEST(TableWriteTest, TheTableHasACopy) {
  TableDefinition definition = WordTable();
  definition.schema = arrow::schema({arrow::field("vector", VectorType())});
  definition.primary_key = std::nullopt;
  Table table = MakeTable(definition);
  std::vector<float> floats = {1, 2};
  const auto elements = std::make_shared<arrow::FloatArray>(2, arrow::Buffer::Wrap(floats));
  const auto vectors = arrow::FixedSizeListArray::FromArrays(elements, 2).ValueOrDie();
  ASSERT_TRUE(table.Put(*arrow::RecordBatch::Make(definition.schema, 1, {vectors})).ok());
  floats = {5, 6};
  const std::vector<float> query = {1, 2};
  const auto found = table.Search({query.data(), 1, 2});
  EXPECT_EQ(table_test::Text(*found->rows), "0 0 0");
}

TEST(TableWriteTest, ManySmallBatchesAreOneTable) {
  Table table = MakeTable();
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string word = "w" + std::to_string(i);
    ASSERT_TRUE(table.Put(*Rows("[[\"" + word + "\", 1, [" + std::to_string(i) + ", 1]]]")).ok());
    expected += (i == 0 ? "" : "; ") + word;
  }
  EXPECT_EQ(TextOf(table, {"word"}), expected);
  const std::vector<float> query = {123, 1};
  EXPECT_EQ(table_test::Text(*table.Search({query.data(), 1, 2}, {.k = 1})->rows), "0 0 w123");
}

TEST(TableWriteTest, DeleteByKey) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(R"([["a", 1, [1, 0]], ["b", 2, [0, 1]], ["c", 3, [1, 1]]])")).ok());
  EXPECT_EQ(*table.Delete(*Words(R"(["c", "x", "a", "c"])")), 2U);
  EXPECT_EQ(*table.Delete(*Words(R"(["a"])")), 0U);
  EXPECT_EQ(TextOf(table, {"word"}), "b");
  // A key that was deleted is free again.
  EXPECT_EQ(table.Put(*Rows(R"([["a", 4, [1, 0]]])"))->num_replaced, 0U);
  EXPECT_EQ(TextOf(table, {"word", "n"}), "b 2; a 4");
  EXPECT_THAT(table.Delete(*Array(arrow::int64(), "[1]")).status().message(),
              HasSubstr("keys must be string"));
  EXPECT_THAT(table.Delete(*Words("[null]")).status().message(), HasSubstr("null"));
}

TEST(TableWriteTest, DeleteByFilter) {
  Table table = MakeTable();
  ASSERT_TRUE(
      table.Put(*Rows(R"([["a", 1, [1, 0]], ["b", null, [0, 1]], ["c", 3, [1, 1]]])")).ok());
  EXPECT_EQ(*table.Delete(Compare("greater", "n", literal(2))), 1U);
  EXPECT_EQ(TextOf(table, {"word"}), "a; b");  // Null is not greater.
  EXPECT_EQ(*table.Delete(literal(true)), 2U);
  EXPECT_EQ(*table.Count(), 0U);
  EXPECT_THAT(table.Delete(Compare("greater", "m", literal(2))).status().message(), HasSubstr("m"));
  EXPECT_THAT(table.Delete(arrow::compute::field_ref("n")).status().message(),
              HasSubstr("true or false"));
}

TEST(TableWriteTest, AllTypesOfVectorsAndKeys) {
  for (const auto& element : {arrow::float16(), arrow::float32(), arrow::float64()}) {
    for (const auto& key : {arrow::int64(), arrow::uint64()}) {
      TableDefinition definition = {
          .schema = arrow::schema({arrow::field("id", key, /*nullable=*/false),
                                   arrow::field("v", VectorType(element))}),
          .vector_column = "v",
          .primary_key = "id"};
      Table table = MakeTable(definition);
      ASSERT_TRUE(
          table.Put(*Rows(definition.schema, "[[1, [1, 0]], [2, [0, 1]], [1, [0, 3]]]")).ok());
      const std::vector<float> query = {0, 3};
      const auto found = table.Search({query.data(), 1, 2}, {.k = 5});
      ASSERT_TRUE(found.ok()) << found.status().ToString();
      EXPECT_EQ(table_test::Text(*found->rows), "0 0 1; 0 4 2");
      EXPECT_EQ(table_test::Text(*table.Get(*Array(key, "[2, 7, 1]"), {"id", "_rowid"}).value()),
                "2 1; 1 2");
    }
  }
}

TEST(TableWriteTest, AnyColumns) {
  const auto dictionary = arrow::dictionary(arrow::int32(), arrow::utf8());
  const auto schema = arrow::schema(
      {arrow::field("v", VectorType()), arrow::field("list", arrow::list(arrow::int16())),
       arrow::field("when", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
       arrow::field("both", arrow::struct_({arrow::field("x", arrow::boolean())})),
       arrow::field("tag", dictionary)});
  Table table = MakeTable({.schema = schema, .vector_column = "v"});
  const auto plain =
      Rows(arrow::schema({schema->field(0), schema->field(1), schema->field(2), schema->field(3)}),
           R"([[[1, 0], [1, null], 5, {"x": true}], [[0, 1], null, null, null]])");
  for (const char* words : {R"(["red", "blue"])", R"(["blue", "green"])"}) {
    const auto tags =
        arrow::json::DictArrayFromJSONString(dictionary, "[0, 1]", words).ValueOrDie();
    auto columns = plain->columns();
    columns.push_back(tags);
    const auto report = table.Put(*arrow::RecordBatch::Make(schema, 2, columns));
    ASSERT_TRUE(report.ok()) << report.status().ToString();
  }
  const std::uint64_t rows[] = {3, 0, 1};
  const auto taken = table.Take(rows, {"tag", "list", "both"});
  ASSERT_TRUE(taken.ok()) << taken.status().ToString();
  EXPECT_TRUE((*taken)->ValidateFull().ok());
  EXPECT_EQ((*taken)->column(0)->type()->ToString(), dictionary->ToString());
  const auto tag = (*taken)->column(0)->GetScalar(0).ValueOrDie();
  EXPECT_EQ(
      static_cast<const arrow::DictionaryScalar&>(*tag).GetEncodedValue().ValueOrDie()->ToString(),
      "green");
  EXPECT_TRUE((*taken)->column(1)->IsNull(0));
  EXPECT_TRUE((*taken)->column(2)->IsValid(1));
}

/// Puts and replaces rows with a column of these three values, and reads it in every way.
void TryColumn(const std::shared_ptr<arrow::Array>& values) {
  const auto& type = values->type();
  SCOPED_TRACE(type->ToString());
  const auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("c", type),
                                     arrow::field("v", VectorType())});
  Table table = MakeTable({.schema = schema, .vector_column = "v", .primary_key = "id"},
                          {.on_bad_vectors = OnBadVectors::kDrop});
  const auto put = [&](const std::string& ids, const std::string& vectors) {
    return table.Put(*arrow::RecordBatch::Make(
        schema, 3, {Array(arrow::int64(), ids), values, Array(VectorType(), vectors)}));
  };
  ASSERT_EQ(put("[0, 1, 2]", "[[0, 0], [1, 1], [2, 2]]").status().ToString(), "ok");
  const auto second = put("[1, 3, 4]", "[[1, 2], null, [4, 4]]");  // Row 3 is dropped.
  ASSERT_EQ(second.status().ToString(), "ok");
  EXPECT_EQ(second->num_dropped, 1U);
  const std::string expected[] = {
      values->GetScalar(0).ValueOrDie()->ToString(), values->GetScalar(2).ValueOrDie()->ToString(),
      values->GetScalar(0).ValueOrDie()->ToString(), values->GetScalar(2).ValueOrDie()->ToString()};
  const auto check = [&](const std::shared_ptr<arrow::RecordBatch>& rows, int column) {
    ASSERT_EQ(rows->num_rows(), 4);
    ASSERT_EQ(rows->ValidateFull().ToString(), "OK");
    ASSERT_TRUE(rows->column(column)->type()->Equals(type)) << rows->column(column)->type();
    for (std::int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(rows->column(column)->GetScalar(i).ValueOrDie()->ToString(), expected[i]);
    }
  };
  check((*table.Scan(nullptr, {"c"}))->ToTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie(),
        0);
  check(*table.Get(*Array(arrow::int64(), "[0, 2, 1, 4]"), {"c"}), 0);
  const std::vector<float> query = {0, 0};
  const auto found = table.Search({query.data(), 1, 2}, {.k = 9, .columns = {"c"}});
  ASSERT_EQ(found.status().ToString(), "ok");
  EXPECT_EQ(found->rows->num_rows(), 4);
}

TEST(TableWriteTest, EveryTypeOfColumn) {
  TryColumn(Array(arrow::utf8_view(), R"(["a", null, "a text that is longer than a view holds"])"));
  TryColumn(Array(arrow::large_binary(), R"(["a", null, "b"])"));
  TryColumn(Array(arrow::list_view(arrow::int8()), "[[1], null, [2, 3]]"));
  TryColumn(Array(arrow::list(arrow::struct_({arrow::field("x", arrow::utf8_view())})),
                  R"([[{"x": "a"}], null, []])"));
  TryColumn(Array(arrow::map(arrow::utf8(), arrow::int32()), R"([[["a", 1]], null, []])"));
  TryColumn(Array(arrow::decimal128(9, 2), R"(["1.25", null, "2.50"])"));
  TryColumn(Array(arrow::month_day_nano_interval(), "[[1, 2, 3], null, [4, 5, 6]]"));
  TryColumn(Array(arrow::null(), "[null, null, null]"));
  const auto words = Array(arrow::utf8(), R"(["a", "a", "b"])");
  TryColumn(arrow::compute::RunEndEncode(words, arrow::compute::RunEndEncodeOptions(arrow::int32()))
                .ValueOrDie()
                .make_array());
  const auto bytes =
      Array(arrow::fixed_size_binary(16), R"(["0123456789abcdef", null, "fedcba9876543210"])");
  const auto uuids = arrow::ExtensionType::WrapArray(arrow::extension::uuid(), bytes);
  TryColumn(uuids);
  TryColumn(arrow::StructArray::Make({uuids}, std::vector<std::string>{"u"}).ValueOrDie());
}

TEST(TableWriteTest, DictionariesOfManyWordsWithNarrowIndices) {
  const auto narrow = arrow::dictionary(arrow::int8(), arrow::utf8());
  const auto vectors = arrow::field("v", VectorType());
  for (const auto& type : {narrow, arrow::list(narrow)}) {
    const auto schema = arrow::schema({arrow::field("tag", type), vectors});
    const Status refused =
        Table::Impl::Describe({.schema = schema, .vector_column = "v"}, {}).status();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(refused.message(), HasSubstr("'tag' has dictionary<values=string, indices=int8"));
  }
  const auto nested = arrow::dictionary(
      arrow::int32(), arrow::list(arrow::dictionary(arrow::int32(), arrow::utf8())));
  const Status refused =
      Table::Impl::Describe(
          {.schema = arrow::schema({arrow::field("tag", nested), vectors}), .vector_column = "v"},
          {})
          .status();
  EXPECT_THAT(refused.message(), HasSubstr("its values must not have dictionaries themselves"));
  const auto type = arrow::dictionary(arrow::uint32(), arrow::utf8());
  Table table = MakeTable(
      {.schema = arrow::schema({arrow::field("tag", type), vectors}), .vector_column = "v"});
  for (int batch = 0; batch < 4; ++batch) {
    std::string tags = "[";
    std::string rows = "[";
    std::string indices = "[";
    for (int i = 0; i < 100; ++i) {
      const std::string comma = i == 0 ? "" : ",";
      tags += comma + "\"t" + std::to_string(100 * batch + i) + "\"";
      indices += comma + std::to_string(i);
      rows += comma + "[1, " + std::to_string(i) + "]";
    }
    const auto column =
        arrow::json::DictArrayFromJSONString(narrow, indices + "]", tags + "]").ValueOrDie();
    // Their dictionaries together have more words than an int8 can tell apart.
    const auto put =
        table.Put(*arrow::RecordBatch::Make(arrow::schema({arrow::field("tag", narrow), vectors}),
                                            100, {column, Array(VectorType(), rows + "]")}));
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    ASSERT_EQ(batch == 2 ? table.Flush().ToString() : "ok", "ok");
  }
  ASSERT_EQ(table.Flush().ToString(), "ok");
  ASSERT_EQ(table.Merge().ToString(), "ok");
  const std::uint64_t rows[] = {399, 0, 250};
  const auto taken = table.Take(rows, {"tag"});
  ASSERT_TRUE(taken.ok()) << taken.status().ToString();
  EXPECT_TRUE((*taken)->column(0)->type()->Equals(type));
  const auto& tags = static_cast<const arrow::DictionaryArray&>(*(*taken)->column(0));
  EXPECT_EQ(tags.dictionary()->GetScalar(tags.GetValueIndex(2)).ValueOrDie()->ToString(), "t250");
  EXPECT_EQ(*table.Count(), 400U);
}

TEST(TableWriteTest, AForkedChildDoesNotWrite) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Put(*Rows(R"([["a", 1, [1, 0]]])")).ok());
  const pid_t child = ::fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    const bool refused = table.Put(*Rows(R"([["b", 1, [1, 0]]])")).status().code() ==
                         StatusCode::kFailedPrecondition;
    const bool reads = *table.Count() == 1;
    ::_exit(refused && reads && table.Close().ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(table.Put(*Rows(R"([["b", 1, [1, 0]]])")).ok());
}

TEST(TableWriteTest, WhatIsClosedRefusesEvenNothing) {
  Table table = MakeTable();
  ASSERT_TRUE(table.Close().ok());
  EXPECT_EQ(table.Put(*Rows("[]")).status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace forebay
