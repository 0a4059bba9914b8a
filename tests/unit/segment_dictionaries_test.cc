// Dictionaries of rows files: one for each column, whatever those of the batches are.
#include <arrow/array/array_dict.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/json/from_string.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/faulty_directory.h"
#include "support/results.h"
#include "unit/segment_rows.h"

namespace forebay {
namespace {

using namespace segment_test;  // NOLINT(google-build-using-namespace): rows files, as here.
using testing::IsInvalid;

ArrayPtr Words(const TypePtr& index, const TypePtr& value, const std::string& indices,
               const std::string& words) {
  return arrow::json::DictArrayFromJSONString(arrow::dictionary(index, value), indices, words)
      .ValueOrDie();
}

TEST(SegmentDictionariesTest, DictionariesGrow) {
  const TypePtr text = arrow::utf8();
  std::vector<ArrayPtr> arrays = {
      Words(arrow::int16(), text, "[]", "[]"),
      Words(arrow::int16(), text, "[0, null, 1]", R"(["b", "a"])"),
      Words(arrow::int16(), text, "[0, 1, 2]", R"(["a", "c", "b"])"),
  };
  for (int i = 0; i < 5000; ++i) {  // Over the ends of batches.
    arrays.push_back(
        Words(arrow::int16(), text, "[1, 0]", R"(["a", "w)" + std::to_string(i) + "\"]"));
  }
  const auto read = WrittenAndRead(arrays);
  EXPECT_EQ(read.size(), 3U);
  ExpectSame(read, arrays, text);
}

TEST(SegmentDictionariesTest, DictionariesThatArrowDoesNotUnify) {
  const TypePtr pair = arrow::struct_({arrow::field("a", arrow::int32())});
  std::vector<ArrayPtr> arrays;
  for (int i = 0; i < 5; ++i) {
    const std::string n = std::to_string(i / 2);
    const std::string words = R"([{"a": 1}, {"a": )" + n + "}]";
    arrays.push_back(arrow::DictionaryArray::FromArrays(
                         arrow::dictionary(arrow::uint8(), pair),
                         arrow::json::ArrayFromJSONString(arrow::uint8(), "[0, 1, 1]").ValueOrDie(),
                         arrow::json::ArrayFromJSONString(pair, words).ValueOrDie())
                         .ValueOrDie());
  }
  ExpectSame(WrittenAndRead(arrays), arrays, pair);
  arrays = {Words(arrow::int8(), arrow::utf8(), "[0, 1]", R"(["b", null])"),
            Words(arrow::int8(), arrow::utf8(), "[0, 1]", R"([null, "c"])"),
            Words(arrow::int8(), arrow::utf8(), "[0, 1]", R"(["c", "b"])")};
  ExpectSame(WrittenAndRead(arrays), arrays, arrow::utf8());
}

TEST(SegmentDictionariesTest, DictionariesOfNaN) {
  std::vector<ArrayPtr> arrays;
  for (int i = 0; i < 2000; ++i) {
    arrays.push_back(Words(arrow::int32(), arrow::float64(), "[0, 1, 1, 0]",
                           "[NaN, " + std::to_string(i) + ".5]"));
  }
  ExpectSame(WrittenAndRead(arrays), arrays, arrow::float64());
}

TEST(SegmentDictionariesTest, DictionariesWithTooManyValues) {
  std::vector<ArrayPtr> arrays;
  for (int i = 0; i < 129; ++i) {
    arrays.push_back(Words(arrow::int8(), arrow::utf8(), "[0]", "[\"" + std::to_string(i) + "\"]"));
  }
  FaultyDirectory directory;
  EXPECT_THAT(Write(&directory, arrays), IsInvalid("wider type of index"));
  arrays.pop_back();
  ExpectSame(WrittenAndRead(arrays), arrays, arrow::utf8());
}

TEST(SegmentDictionariesTest, DictionariesWithinDictionariesStayAsTheyAre) {
  const TypePtr pair =
      arrow::struct_({arrow::field("a", arrow::dictionary(arrow::int8(), arrow::utf8()))});
  const auto make = [&](const std::string& words) -> ArrayPtr {
    return arrow::DictionaryArray::FromArrays(
               arrow::dictionary(arrow::int8(), pair),
               arrow::json::ArrayFromJSONString(arrow::int8(), "[0, 0]").ValueOrDie(),
               arrow::json::ArrayFromJSONString(pair, R"([{"a": ")" + words + "\"}]").ValueOrDie())
        .ValueOrDie();
  };
  const auto read = WrittenAndRead({make("x"), make("x")});
  ASSERT_EQ(read.size(), 1U);
  EXPECT_TRUE(read[0]->column(0)->Slice(2)->Equals(*make("x")));
  std::vector<ArrayPtr> differ;
  for (int i = 0; i < 2100; ++i) {  // The second batch has another one.
    differ.push_back(make(i < 2050 ? "x" : "y"));
  }
  FaultyDirectory directory;
  EXPECT_THAT(Write(&directory, differ), IsInvalid("whose values have a dictionary"));
}

TEST(SegmentDictionariesTest, IndicesOfNoValue) {
  const std::vector<std::int8_t> indices = {0, 7, -1};
  const auto words = arrow::json::ArrayFromJSONString(arrow::utf8(), R"(["a"])").ValueOrDie();
  for (const std::uint8_t valid : {std::uint8_t{0b111}, std::uint8_t{0b001}}) {
    const auto data = arrow::ArrayData::Make(
        arrow::dictionary(arrow::int8(), arrow::utf8()), 3,
        {arrow::Buffer::FromVector(std::vector{valid}), arrow::Buffer::FromVector(indices)});
    data->dictionary = words->data();
    const ArrayPtr array = arrow::MakeArray(data);
    FaultyDirectory directory;
    if (valid == 0b001) {  // Under a null there may be anything.
      ExpectSame(WrittenAndRead({array}), {array}, arrow::utf8());
    } else {
      EXPECT_THAT(Write(&directory, {array}), IsInvalid("index 7"));
    }
  }
}

}  // namespace
}  // namespace forebay
