// BatchVectors: vectors of every element type, of a MemTable and of a generation.
#include <arrow/array/array_base.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "table/batch_vectors.h"
#include "table_words.h"

namespace forebay {
namespace {

using table::BatchVectors;
using table_test::Array;
using table_test::VectorType;

struct Element {
  std::shared_ptr<arrow::DataType> type;
  bool is_float32;
};

class TableVectorsTest : public ::testing::TestWithParam<Element> {
 protected:
  /// Four rows of which the last three are left: rows begin anywhere.
  [[nodiscard]] std::shared_ptr<arrow::Array> Column() const {
    return Array(VectorType(GetParam().type), "[[9, 9], [0.5, -2], [1024, 0], [-0.25, 3]]")
        ->Slice(1);
  }
  static std::vector<float> Row(const BatchVectors& vectors, std::size_t i) {
    float room[2];
    const float* const row = vectors.Row(i, room);
    EXPECT_EQ(row == room, vectors.converts_when_read());
    return {row, row + 2};
  }
  static void CheckRows(const BatchVectors& vectors) {
    EXPECT_EQ(Row(vectors, 0), (std::vector<float>{0.5F, -2.0F}));
    EXPECT_EQ(Row(vectors, 1), (std::vector<float>{1024.0F, 0.0F}));
    EXPECT_EQ(Row(vectors, 2), (std::vector<float>{-0.25F, 3.0F}));
    const auto all = vectors.All();
    ASSERT_TRUE(all.ok()) << all.status().ToString();
    ASSERT_EQ((*all)->view().num_rows, 3U);
    EXPECT_EQ((*all)->view().row(2)[1], 3.0F);
  }
};

TEST_P(TableVectorsTest, OfAMemTableAreConvertedOnce) {
  const auto vectors = BatchVectors::OfMemTable(Column());
  ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
  CheckRows(*vectors);
  EXPECT_FALSE(vectors->converts_when_read());
  EXPECT_EQ(vectors->num_bytes(), GetParam().is_float32 ? 0U : 3U * 2U * sizeof(float));
}

TEST_P(TableVectorsTest, OfAGenerationStayWhereTheyAre) {
  const auto vectors = BatchVectors::OfGeneration(Column());
  ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
  CheckRows(*vectors);
  EXPECT_EQ(vectors->converts_when_read(), !GetParam().is_float32);
  EXPECT_EQ(vectors->num_bytes(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Elements, TableVectorsTest,
                         ::testing::Values(Element{arrow::float16(), false},
                                           Element{arrow::float32(), true},
                                           Element{arrow::float64(), false}),
                         [](const auto& element) { return element.param.type->name(); });

TEST(TableVectorTypesTest, AnotherTypeIsRefused) {
  for (const auto& column :
       {Array(VectorType(arrow::int32()), "[[1, 2]]"), Array(arrow::float32(), "[1]")}) {
    EXPECT_EQ(BatchVectors::OfMemTable(column).status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(BatchVectors::OfGeneration(column).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace forebay
