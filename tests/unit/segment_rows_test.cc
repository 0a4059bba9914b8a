// Rows files: rows of every type come back, in equal batches, where they are mapped.
#include <arrow/array/array_base.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/chunked_array.h>
#include <arrow/compute/cast.h>
#include <arrow/extension/uuid.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "segment/rows_file.h"
#include "storage/posix_directory.h"
#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/segment_files.h"

namespace forebay {
namespace {

using segment::FileSum;
using segment::OpenSegmentFile;
using segment::ReadRows;
using segment::WriteRows;
using testing::FailsWith;
using testing::FileBytes;
using testing::IsInvalid;
using testing::Mapped;
using testing::Succeeds;
using testing::Value;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;
using SchemaPtr = std::shared_ptr<arrow::Schema>;
using TypePtr = std::shared_ptr<arrow::DataType>;

/// Gives them one after the other.
segment::NextBatch Each(std::vector<BatchPtr> batches) {
  return [batches = std::move(batches), i = std::size_t{0}]() mutable -> Result<BatchPtr> {
    return i < batches.size() ? batches[i++] : nullptr;
  };
}

SchemaPtr SchemaOf(const TypePtr& type) { return arrow::schema({arrow::field("x", type)}); }

std::vector<BatchPtr> AsBatches(const std::vector<ArrayPtr>& arrays) {
  std::vector<BatchPtr> batches;
  for (const ArrayPtr& array : arrays) {
    batches.push_back(arrow::RecordBatch::Make(SchemaOf(array->type()), array->length(), {array}));
  }
  return batches;
}

Result<FileSum> Write(storage::Directory* directory, const std::vector<ArrayPtr>& arrays) {
  return WriteRows(directory, "rows", SchemaOf(arrays.front()->type()), Each(AsBatches(arrays)));
}

std::vector<BatchPtr> WrittenAndRead(const std::vector<ArrayPtr>& arrays) {
  FaultyDirectory directory;
  const FileSum sum = Value(Write(&directory, arrays));
  return Value(ReadRows(Value(OpenSegmentFile(directory, sum, /*verify=*/true)),
                        *SchemaOf(arrays.front()->type()), /*validate_in_full=*/true));
}

arrow::ArrayVector ColumnOf(const std::vector<BatchPtr>& batches) {
  arrow::ArrayVector arrays;
  for (const BatchPtr& batch : batches) {
    arrays.push_back(batch->column(0));
  }
  return arrays;
}

/// Dictionaries differ: what is compared is of the type `plain`, if there is one.
std::shared_ptr<arrow::ChunkedArray> Plain(const arrow::ArrayVector& arrays, const TypePtr& plain) {
  arrow::ArrayVector decoded;
  for (const ArrayPtr& array : arrays) {
    decoded.push_back(plain == nullptr ? array : arrow::compute::Cast(*array, plain).ValueOrDie());
  }
  return std::make_shared<arrow::ChunkedArray>(decoded);
}

void ExpectSame(const std::vector<BatchPtr>& read, const std::vector<ArrayPtr>& arrays,
                const TypePtr& plain = nullptr) {
  const auto options = arrow::EqualOptions::Defaults().nans_equal(true);
  EXPECT_TRUE(Plain(ColumnOf(read), plain)->Equals(*Plain(arrays, plain), options));
}

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

}  // namespace
}  // namespace forebay
