// Rows files: rows of every type come back, in equal batches, where they are mapped.
#include "unit/segment_rows.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/array_run_end.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/extension/uuid.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "segment/rows_file.h"
#include "storage/posix_directory.h"
#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/segment_files.h"
#include "support/temporary_folder.h"

namespace forebay {
namespace {

using namespace segment_test;  // NOLINT(google-build-using-namespace): rows files, as here.
using segment::FileSum;
using segment::ReadRows;
using segment::WriteRows;
using testing::FailsWith;
using testing::FileBytes;
using testing::IsInvalid;
using testing::Mapped;
using testing::OpenVerified;
using testing::Succeeds;
using testing::TemporaryFolder;
using testing::Value;

struct Column {
  std::string name;
  TypePtr type;
  std::function<std::string(int)> value;  // As JSON.
  TypePtr plain = nullptr;                // Without dictionaries.
};

std::string Quoted(int i) { return "\"some text, number " + std::to_string(i % 90) + '"'; }

void PrintTo(const Column& column, std::ostream* out) { *out << column.name; }

std::vector<Column> Columns() {
  using namespace arrow;  // NOLINT: types only.
  const auto number = [](int i) { return std::to_string(i % 100); };
  const auto text = Quoted;
  const auto list_of = [](const auto& value) {
    return [value](int i) {
      std::string items;
      for (int j = 0; j < i % 4; ++j) {
        items += (j == 0 ? "" : ", ") + value(i + j);
      }
      return "[" + items + "]";
    };
  };
  const auto three_of = [](const auto& value) {
    return
        [value](int i) { return "[" + value(i) + ", " + value(i + 1) + ", " + value(i + 2) + "]"; };
  };
  const auto struct_of = [](const auto& value) {
    return [value](int i) { return R"({"a": )" + value(i) + "}"; };
  };
  const auto words = dictionary(int8(), utf8());
  return {
      {"int8", int8(), number},
      {"uint64", uint64(), [](int i) { return std::to_string(~std::uint64_t{0} - unsigned(i)); }},
      {"boolean", boolean(), [](int i) { return i % 3 == 0 ? "true" : "false"; }},
      {"float64", float64(), number},
      {"timestamp", timestamp(TimeUnit::MICRO, "UTC"), number},
      {"decimal", decimal128(10, 2), [](int i) { return "\"" + std::to_string(i) + ".25\""; }},
      {"null", null(), [](int) { return "null"; }},
      {"utf8", utf8(), text},
      {"large_binary", large_binary(), text},
      {"utf8_view", utf8_view(), text},
      {"short_view", binary_view(), [](int i) { return "\"" + std::to_string(i) + "\""; }},
      {"fixed_binary", fixed_size_binary(3), [](int) { return "\"abc\""; }},
      {"float16_3", fixed_size_list(float16(), 3), three_of(number)},
      {"float32_3", fixed_size_list(float32(), 3), three_of(number)},
      {"float64_3", fixed_size_list(float64(), 3), three_of(number)},
      {"list", list(int32()), list_of(number)},
      {"list_of_views", list(utf8_view()), list_of(text)},
      {"large_list", large_list(utf8()), list_of(text)},
      {"list_view", list_view(int32()), list_of(number)},
      {"list_of_lists", list(list(int16())), list_of(list_of(number))},
      {"struct", struct_({field("a", utf8())}), struct_of(text)},
      {"map", map(utf8(), int32()),
       [](int i) { return "[[" + Quoted(i) + ", " + std::to_string(i) + "]]"; }},
      {"sparse_union", sparse_union({field("a", int32()), field("b", utf8())}),
       [](int i) { return i % 2 == 0 ? "[0, 5]" : "[1, \"x\"]"; }},
      {"dense_union", dense_union({field("a", int32()), field("b", utf8())}),
       [](int i) { return i % 2 == 0 ? "[0, 5]" : "[1, \"x\"]"; }},
      {"words", words, text, utf8()},
      {"numbers", dictionary(uint32(), int64()), number, int64()},
      {"list_of_words", list(words), list_of(text), list(utf8())},
      {"struct_of_words", struct_({field("a", words)}), struct_of(text),
       struct_({field("a", utf8())})},
  };
}

/// Rows first .. first + count - 1 of a column, some of them null, as a slice of more.
ArrayPtr Rows(const Column& column, int first, int count) {
  std::string json = "[" + column.value(first);
  const bool is_union = arrow::is_union(column.type->id());
  for (int i = first; i < first + count; ++i) {
    json += ", " + (i % 7 == 3 && !is_union ? "null" : column.value(i));
  }
  json += ", " + column.value(first) + "]";
  return arrow::json::ArrayFromJSONString(column.type, json).ValueOrDie()->Slice(1, count);
}

std::vector<ArrayPtr> RowsInParts(const Column& column, const std::vector<int>& counts) {
  std::vector<ArrayPtr> arrays;
  int first = 0;
  for (const int count : counts) {
    arrays.push_back(Rows(column, first, count));
    first += count;
  }
  return arrays;
}

class SegmentRowsTest : public ::testing::TestWithParam<Column> {};

TEST_P(SegmentRowsTest, ComeBackInEqualBatches) {
  const auto arrays = RowsInParts(GetParam(), {1, 100, 0, 5000, 4096, 3, 700});
  const std::vector<BatchPtr> read = WrittenAndRead(arrays);
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[0]->num_rows(), 4096);
  EXPECT_EQ(read[1]->num_rows(), 4096);
  EXPECT_EQ(read[2]->num_rows(), 9900 - 2 * 4096);
  ExpectSame(read, arrays, GetParam().plain);
}

TEST_P(SegmentRowsTest, DamageIsToldAndNeverCrashes) {
  FaultyDirectory directory;
  const auto arrays = RowsInParts(GetParam(), {3, 5});
  const FileSum sum = Value(Write(&directory, arrays));
  const FileBytes bytes = Value(directory.Read("rows"));
  testing::ExpectDamageIsSeen(sum, bytes);
  const SchemaPtr schema = SchemaOf(GetParam().type);
  testing::ForEachDamage(bytes, [&](const FileBytes& altered) {
    for (const bool in_full : {false, true}) {
      const auto read = ReadRows(Mapped(altered), *schema, in_full);
      if (read.ok() && in_full && !read->empty()) {
        EXPECT_FALSE(read->front()->ToString().empty());
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Types, SegmentRowsTest, ::testing::ValuesIn(Columns()),
                         [](const auto& column) { return column.param.name; });

/// So many rows of lists of `dim` numbers.
ArrayPtr Vectors(std::int64_t count, std::int32_t dim) {
  std::vector<float> numbers(static_cast<std::size_t>(count * dim));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(i);
  }
  const auto elements = arrow::MakeArray(arrow::ArrayData::Make(
      arrow::float32(), count * dim, {nullptr, arrow::Buffer::FromVector(std::move(numbers))}));
  return arrow::FixedSizeListArray::FromArrays(elements, dim).ValueOrDie();
}

void ExpectIsMapped(const arrow::ArrayData& data, std::span<const std::byte> bytes) {
  for (const auto& buffer : data.buffers) {
    if (buffer != nullptr && buffer->size() > 0) {
      const auto* const begin = reinterpret_cast<const std::byte*>(buffer->data());
      EXPECT_GE(begin, bytes.data());
      EXPECT_LE(begin + buffer->size(), bytes.data() + bytes.size());
      EXPECT_EQ(buffer->address() % 8, 0U);
    }
  }
  for (const auto& child : data.child_data) {
    ExpectIsMapped(*child, bytes);
  }
}

void ExpectAreMapped(const std::vector<BatchPtr>& batches, std::span<const std::byte> bytes) {
  for (const BatchPtr& batch : batches) {
    for (int i = 0; i < batch->num_columns(); ++i) {
      ExpectIsMapped(*batch->column_data(i), bytes);
    }
  }
}

TEST_P(SegmentRowsTest, AreUsedWhereTheyAreMapped) {
  FaultyDirectory directory;
  const auto arrays = RowsInParts(GetParam(), {100, 5001});
  ASSERT_THAT(Write(&directory, arrays), Succeeds());
  const auto mapping = Value(directory.Map("rows"));
  const auto read = Value(ReadRows(mapping, *SchemaOf(GetParam().type), true));
  ExpectAreMapped(read, mapping->bytes());
}

TEST(SegmentRowsFileTest, VectorsAreUsedWhereTheyAreMapped) {
  const TemporaryFolder folder;
  const ArrayPtr vectors = Vectors(5000, 3);
  std::vector<BatchPtr> read;
  {
    const auto directory = Value(storage::PosixDirectory::Open(folder.path()));
    const FileSum sum = Value(Write(directory.get(), {vectors}));
    const auto mapping = Value(OpenVerified(*directory, sum));
    read = Value(ReadRows(mapping, *SchemaOf(vectors->type()), /*validate_in_full=*/true));
    ExpectAreMapped(read, mapping->bytes());
    for (const BatchPtr& batch : read) {
      EXPECT_EQ(batch->column_data(0)->child_data[0]->buffers[1]->address() % 64, 0U);
    }
  }
  ExpectSame(read, {vectors});  // The batches keep the mapping.
}

TEST(SegmentRowsFileTest, WideRowsAreInSmallerBatches) {
  const ArrayPtr vectors = Vectors(5000, 768);
  const std::vector<BatchPtr> read = WrittenAndRead({vectors->Slice(0, 10), vectors->Slice(10)});
  ASSERT_EQ(read.size(), 5U);
  for (std::size_t i = 0; i + 1 < read.size(); ++i) {
    EXPECT_EQ(read[i]->num_rows(), 1024);
  }
  ExpectSame(read, {vectors});
}

TEST(SegmentRowsFileTest, NoRows) {
  EXPECT_TRUE(WrittenAndRead({Vectors(5, 2)->Slice(0, 0)}).empty());
  FaultyDirectory directory;
  const SchemaPtr schema = arrow::schema({arrow::field("x", arrow::int8())});
  EXPECT_THAT(WriteRows(&directory, "rows", schema, Each({})), Succeeds());
  EXPECT_TRUE(Value(ReadRows(Value(directory.Map("rows")), *schema, true)).empty());
}

TEST(SegmentRowsFileTest, SlicesOfViewsTakeTheirOwnTextOnly) {
  const Column views = {"views", arrow::list(arrow::utf8_view()),
                        [](int i) { return "[" + Quoted(i) + ", " + Quoted(i + 1) + "]"; }};
  const ArrayPtr array = Rows(views, 0, 20'000);
  FaultyDirectory directory;
  const FileSum sum = Value(Write(&directory, {array}));
  EXPECT_LT(sum.num_bytes, 20'000U * 100);
}

TEST(SegmentRowsFileTest, ExtensionTypes) {
  const TypePtr uuid = arrow::extension::uuid();
  const auto storage =
      arrow::json::ArrayFromJSONString(arrow::fixed_size_binary(16),
                                       R"(["0123456789abcdef", null, "0123456789abcdeg"])")
          .ValueOrDie();
  const ArrayPtr array = arrow::ExtensionType::WrapArray(uuid, storage);
  const auto read = WrittenAndRead({array, array});
  EXPECT_TRUE(read.front()->column(0)->type()->Equals(*uuid));
  ExpectSame(read, {array, array});
}

TEST(SegmentRowsFileTest, RunsOfEqualValues) {
  const auto ends = arrow::json::ArrayFromJSONString(arrow::int32(), "[2, 5, 9]").ValueOrDie();
  const auto values =
      arrow::json::ArrayFromJSONString(arrow::utf8(), R"(["a", null, "b"])").ValueOrDie();
  const ArrayPtr array = arrow::RunEndEncodedArray::Make(9, ends, values).ValueOrDie();
  const std::vector<ArrayPtr> parts = {array->Slice(1, 3), array, array->Slice(4)};
  const auto read = WrittenAndRead(parts);
  const auto joined = arrow::Concatenate(parts).ValueOrDie();
  ASSERT_EQ(read.size(), 1U);
  EXPECT_TRUE(read.front()->column(0)->Equals(*joined));
}

TEST(SegmentRowsFileTest, OtherSchemas) {
  FaultyDirectory directory;
  const ArrayPtr vectors = Vectors(5, 2);
  const SchemaPtr other = SchemaOf(arrow::int8());
  EXPECT_THAT(WriteRows(&directory, "rows", other, Each(AsBatches({vectors}))),
              IsInvalid("expected rows of the schema"));
  ASSERT_THAT(directory.Remove("rows"), Succeeds());
  ASSERT_THAT(Write(&directory, {vectors}), Succeeds());
  EXPECT_THAT(ReadRows(Value(directory.Map("rows")), *other, false),
              FailsWith(StatusCode::kCorruption, "expected the schema"));
}

TEST(SegmentRowsFileTest, ValuesThatAreNone) {
  const Column column = {"text", arrow::utf8(), Quoted};
  FaultyDirectory directory;
  ASSERT_THAT(Write(&directory, {Rows(column, 0, 3)}), Succeeds());
  FileBytes bytes = Value(directory.Read("rows"));
  const std::string text = "some text, number 0";
  const auto found = std::search(bytes.begin(), bytes.end(), std::as_bytes(std::span(text)).begin(),
                                 std::as_bytes(std::span(text)).end());
  ASSERT_NE(found, bytes.end());
  *found = std::byte{0xFF};  // No UTF-8.
  const SchemaPtr schema = SchemaOf(column.type);
  EXPECT_THAT(ReadRows(Mapped(bytes), *schema, /*validate_in_full=*/false), Succeeds());
  EXPECT_THAT(ReadRows(Mapped(bytes), *schema, /*validate_in_full=*/true),
              FailsWith(StatusCode::kCorruption, "UTF8"));
}

TEST(SegmentRowsFileTest, FaultsAreTold) {
  const ArrayPtr vectors = Vectors(5000, 200);  // More than is held back.
  testing::ExpectFaultsAreTold(
      [&](storage::Directory* directory) { return Write(directory, {vectors}); });
}

TEST(SegmentRowsFileTest, AFailureToGetRowsIsHandedOn) {
  FaultyDirectory directory;
  const auto failing = [i = 0]() mutable -> Result<BatchPtr> {
    return ++i == 1 ? Result<BatchPtr>(AsBatches({Vectors(5, 2)})[0])
                    : Result<BatchPtr>(Status::IoError("no more", EIO));
  };
  const auto written = WriteRows(&directory, "rows", SchemaOf(Vectors(1, 2)->type()), failing);
  EXPECT_THAT(written, FailsWith(StatusCode::kIoError, "no more"));
  EXPECT_EQ(written.status().os_error(), EIO);
}

}  // namespace
}  // namespace forebay
