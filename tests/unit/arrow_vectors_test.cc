// ArrowVectors: which arrays are used in place, how the others are converted, and what is refused.
#include <arrow/array/array_primitive.h>
#include <arrow/extension/fixed_shape_tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "unit/arrow_arrays.h"

namespace forebay {
namespace {

using arrow_test::ArrayPtr;
using arrow_test::Bits;
using arrow_test::Elements;
using arrow_test::Floats;
using arrow_test::kDim;
using arrow_test::Lists;
using arrow_test::RowsFrom;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Values(const ArrowVectors& vectors) {
  const VectorView view = vectors.view();
  return {view.data, view.data + view.num_rows * view.dim};
}

ArrowVectors MakeVectors(const ArrayPtr& array) {
  auto made = ArrowVectors::Make(*array);
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return std::move(made).value();
}

/// Which rows batch() calls valid, as ones and zeros.
std::vector<int> ValidRows(const ArrowVectors& vectors) {
  const VectorBatch batch = vectors.batch(0);
  std::vector<int> valid;
  for (std::size_t i = 0; i < batch.vectors.num_rows; ++i) {
    valid.push_back(batch.validity == nullptr ||
                    arrow::bit_util::GetBit(batch.validity, batch.validity_offset + i));
  }
  return valid;
}

const float* RawFloats(const ArrayPtr& elements) {
  return static_cast<const arrow::FloatArray&>(*elements).raw_values();
}

/// The same vectors in each element type; the values fit all of them.
template <typename T>
ArrayPtr ElementsFromFloats(const std::shared_ptr<arrow::DataType>& type,
                            const std::vector<float>& values, const Bits& valid = {}) {
  std::vector<T> converted;
  for (const float value : values) {
    converted.push_back(static_cast<T>(value));
  }
  return Elements(type, std::move(converted), valid);
}

ArrayPtr ElementsOf(arrow::Type::type type, const std::vector<float>& values,
                    const Bits& valid = {}) {
  switch (type) {
    case arrow::Type::HALF_FLOAT: {
      std::vector<std::uint16_t> bits;
      for (const float value : values) {
        bits.push_back(arrow::util::Float16::FromFloat(value).bits());
      }
      return Elements(arrow::float16(), std::move(bits), valid);
    }
    case arrow::Type::DOUBLE:
      return ElementsFromFloats<double>(arrow::float64(), values, valid);
    default:
      return ElementsFromFloats<float>(arrow::float32(), values, valid);
  }
}

class EachElementType : public testing::TestWithParam<arrow::Type::type> {
 protected:
  [[nodiscard]] bool float32() const { return GetParam() == arrow::Type::FLOAT; }
};

TEST_P(EachElementType, ReadsWholeArrays) {
  const ArrowVectors vectors = MakeVectors(Lists(ElementsOf(GetParam(), RowsFrom(0, 5))));
  EXPECT_EQ(vectors.view().num_rows, 5U);
  EXPECT_EQ(vectors.view().dim, std::size_t{kDim});
  EXPECT_EQ(Values(vectors), RowsFrom(0, 5));
  EXPECT_EQ(vectors.zero_copy(), float32());
  EXPECT_EQ(vectors.batch(7).validity, nullptr);
  EXPECT_EQ(vectors.batch(7).first_row_position, 7U);
  EXPECT_EQ(vectors.batch(7).vectors.data, vectors.view().data);
}

TEST_P(EachElementType, KeepsSpecialValues) {
  const std::vector<float> values = {-0.0F, kInfinity, -kInfinity, 0x1p-24F};  // float16's least.
  const ArrowVectors vectors = MakeVectors(Lists(ElementsOf(GetParam(), values)));
  EXPECT_EQ(Values(vectors), values);
  EXPECT_TRUE(std::signbit(vectors.view().data[0]));
}

TEST_P(EachElementType, ReadsSlicedArrays) {
  const ArrayPtr array = Lists(ElementsOf(GetParam(), RowsFrom(0, 9)))->Slice(2, 5);
  const ArrowVectors vectors = MakeVectors(array);
  EXPECT_EQ(vectors.view().num_rows, 5U);
  EXPECT_EQ(Values(vectors), RowsFrom(2, 5));
  EXPECT_EQ(vectors.zero_copy(), float32());
}

TEST_P(EachElementType, ReadsSlicedElements) {
  const ArrayPtr elements = ElementsOf(GetParam(), RowsFrom(0, 9))->Slice(3 * kDim, 5 * kDim);
  EXPECT_EQ(Values(MakeVectors(Lists(elements))), RowsFrom(3, 5));
}

TEST_P(EachElementType, ReadsSlicesOfListsOfSlicedElements) {
  std::vector<float> values = {-1.0F};  // So the elements' offset is no whole number of rows.
  const auto rows = RowsFrom(0, 9);
  values.insert(values.end(), rows.begin(), rows.end());
  const ArrayPtr elements = ElementsOf(GetParam(), values)->Slice(1);
  const ArrayPtr array = Lists(elements)->Slice(1)->Slice(2, 4);
  const ArrowVectors vectors = MakeVectors(array);
  EXPECT_EQ(Values(vectors), RowsFrom(3, 4));
  EXPECT_EQ(vectors.zero_copy(), float32());
}

TEST_P(EachElementType, TurnsRowsWithNullsIntoNan) {
  // Row 1 is null, row 3 has a null element; under both lie ordinary numbers.
  Bits element_valid(6 * kDim, true);
  element_valid[3 * kDim + 2] = false;
  const ArrayPtr array = Lists(ElementsOf(GetParam(), RowsFrom(0, 6), element_valid),
                               {true, false, true, true, true, true});
  const ArrowVectors vectors = MakeVectors(array);
  EXPECT_FALSE(vectors.zero_copy());
  EXPECT_THAT(ValidRows(vectors), ElementsAre(1, 0, 1, 0, 1, 1));
  for (std::size_t i = 0; i < 6; ++i) {
    const float* row = vectors.view().row(i);
    if (i == 1 || i == 3) {
      EXPECT_TRUE(std::isnan(row[0]) && std::isnan(row[1]) && std::isnan(row[3])) << i;
    } else {
      EXPECT_EQ(std::vector<float>(row, row + kDim), RowsFrom(i, 1));
    }
  }
}

TEST_P(EachElementType, FindsNullsInSlicesAtBothLevels) {
  Bits element_valid(20 * kDim, true);
  element_valid[12 * kDim + kDim - 1] = false;  // The last element of row 12.
  element_valid[14 * kDim] = false;             // The first one of row 14.
  const ArrayPtr elements =
      ElementsOf(GetParam(), RowsFrom(0, 20), element_valid)->Slice(2 * kDim, 18 * kDim);
  Bits row_valid(18, true);
  row_valid[9] = false;                                            // Row 11.
  const ArrayPtr array = Lists(elements, row_valid)->Slice(8, 7);  // Rows 10 to 16.
  EXPECT_THAT(ValidRows(MakeVectors(array)), ElementsAre(1, 0, 0, 1, 0, 1, 1));
}

INSTANTIATE_TEST_SUITE_P(Types, EachElementType,
                         testing::Values(arrow::Type::HALF_FLOAT, arrow::Type::FLOAT,
                                         arrow::Type::DOUBLE));

TEST(ArrowVectorsTest, UsesFloat32InPlace) {
  const ArrayPtr elements = Floats(RowsFrom(0, 9));
  EXPECT_EQ(MakeVectors(Lists(elements)).view().data, RawFloats(elements));
  EXPECT_EQ(MakeVectors(Lists(elements)->Slice(4, 2)).view().data,
            RawFloats(elements) + std::size_t{4} * kDim);
  const ArrayPtr sliced = elements->Slice(kDim);
  EXPECT_EQ(MakeVectors(Lists(sliced)->Slice(4, 2)).view().data,
            RawFloats(elements) + std::size_t{5} * kDim);
}

TEST(ArrowVectorsTest, UsesFloat32InPlaceWhenNoNullIsInTheSlice) {
  Bits element_valid(9 * kDim, true);
  element_valid[1] = false;
  Bits row_valid(9, true);
  row_valid[8] = false;
  const ArrayPtr elements = Floats(RowsFrom(0, 9), element_valid);
  const ArrowVectors vectors = MakeVectors(Lists(elements, row_valid)->Slice(1, 7));
  EXPECT_TRUE(vectors.zero_copy());
  EXPECT_EQ(vectors.view().data, RawFloats(elements) + kDim);
  EXPECT_EQ(vectors.batch(0).validity, nullptr);
}

TEST(ArrowVectorsTest, KeepsTheMemoryItPointsInto) {
  ArrayPtr elements = Floats(RowsFrom(0, 3));
  const std::weak_ptr<arrow::Buffer> buffer = elements->data()->buffers[1];
  {
    const ArrowVectors vectors = MakeVectors(Lists(elements));
    elements.reset();
    EXPECT_EQ(Values(vectors), RowsFrom(0, 3));
  }
  EXPECT_TRUE(buffer.expired());
}

TEST(ArrowVectorsTest, IsMovedWithItsRows) {
  static_assert(!std::is_copy_constructible_v<ArrowVectors>);
  static_assert(!std::is_copy_assignable_v<ArrowVectors>);
  for (const auto type : {arrow::Type::FLOAT, arrow::Type::DOUBLE}) {
    ArrowVectors first = MakeVectors(Lists(ElementsOf(type, RowsFrom(0, 3))));
    ArrowVectors second = MakeVectors(Lists(ElementsOf(type, RowsFrom(5, 1))));
    second = std::move(first);
    EXPECT_EQ(Values(second), RowsFrom(0, 3));
    const ArrowVectors third = std::move(second);
    EXPECT_EQ(Values(third), RowsFrom(0, 3));
  }
}

TEST(ArrowVectorsTest, CopiesMisalignedFloats) {
  const std::vector<float> rows = RowsFrom(0, 3);
  std::vector<std::uint8_t> bytes(rows.size() * sizeof(float) + 1);
  std::memcpy(bytes.data() + 1, rows.data(), rows.size() * sizeof(float));
  const auto buffer = arrow::SliceBuffer(arrow::Buffer::FromVector(std::move(bytes)), 1);
  const ArrayPtr elements = arrow::MakeArray(arrow::ArrayData::Make(
      arrow::float32(), static_cast<std::int64_t>(rows.size()), {nullptr, buffer}));
  const ArrowVectors vectors = MakeVectors(Lists(elements));
  EXPECT_FALSE(vectors.zero_copy());
  EXPECT_EQ(Values(vectors), rows);
}

TEST(ArrowVectorsTest, RoundsFloat64AndTurnsTooLargeIntoInfinity) {
  const ArrayPtr array = Lists(Elements<double>(arrow::float64(), {0.1, 1e300, -1e39, 1e-300}));
  EXPECT_THAT(Values(MakeVectors(array)), ElementsAre(0.1F, kInfinity, -kInfinity, 0.0F));
}

TEST(ArrowVectorsTest, ReadsEveryFloat16) {
  std::vector<std::uint16_t> bits(std::size_t{1} << 16U);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits[i] = static_cast<std::uint16_t>(i);
  }
  const ArrowVectors vectors = MakeVectors(Lists(Elements(arrow::float16(), bits)));
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const unsigned exponent = (bits[i] >> 10U) & 0x1FU;
    const auto mantissa = static_cast<float>(bits[i] & 0x3FFU);
    const float sign = (bits[i] >> 15U) != 0 ? -1.0F : 1.0F;
    const float value = vectors.view().data[i];
    if (exponent == 31) {
      EXPECT_TRUE(mantissa == 0 ? value == sign * kInfinity : std::isnan(value)) << i;
    } else if (exponent == 0) {
      EXPECT_EQ(value, sign * mantissa * 0x1p-24F) << i;
    } else {
      EXPECT_EQ(value, sign * std::ldexp(1024 + mantissa, static_cast<int>(exponent) - 25)) << i;
    }
  }
}

TEST(ArrowVectorsTest, ReadsExtensionTypesByTheirStorage) {
  const ArrayPtr elements = Floats(RowsFrom(0, 5));
  const auto type = arrow::extension::FixedShapeTensorType::Make(arrow::float32(), {2, 2});
  ASSERT_TRUE(type.ok());
  const ArrayPtr array = arrow::ExtensionType::WrapArray(*type, Lists(elements))->Slice(1, 3);
  const ArrowVectors vectors = MakeVectors(array);
  EXPECT_EQ(vectors.view().data, RawFloats(elements) + kDim);
  EXPECT_EQ(Values(vectors), RowsFrom(1, 3));
}

TEST(ArrowVectorsTest, ReadsEmptyArrays) {
  const ArrayPtr array = Lists(Floats(RowsFrom(0, 3)));
  const ArrayPtr no_buffer =
      arrow::MakeArray(arrow::ArrayData::Make(arrow::float32(), 0, {nullptr, nullptr}));
  for (const ArrayPtr& empty :
       {array->Slice(0, 0), array->Slice(3), Lists(Floats({})), Lists(no_buffer)}) {
    const ArrowVectors vectors = MakeVectors(empty);
    EXPECT_EQ(vectors.view().num_rows, 0U);
    EXPECT_EQ(vectors.view().dim, std::size_t{kDim});
  }
}

TEST(ArrowVectorsTest, RefusesOtherTypesByName) {
  const ArrayPtr floats = Floats(RowsFrom(0, 3));
  const std::vector<ArrayPtr> wrong = {
      floats,
      Lists(Elements<std::int32_t>(arrow::int32(), {1, 2, 3, 4})),
      Lists(Elements<std::uint8_t>(arrow::uint8(), {1, 2, 3, 4})),
      Lists(Lists(floats), {}, 3),
      arrow::MakeArray(arrow::ArrayData::Make(
          arrow::list(arrow::float32()), 1,
          {nullptr, arrow::Buffer::FromVector<std::int32_t>({0, 4})}, {floats->data()})),
      arrow::MakeArray(arrow::ArrayData::Make(
          arrow::large_list(arrow::float32()), 1,
          {nullptr, arrow::Buffer::FromVector<std::int64_t>({0, 4})}, {floats->data()})),
      Elements<double>(arrow::float64(), {1, 2}),
      arrow::MakeArray(arrow::ArrayData::Make(arrow::null(), 3, {nullptr})),
  };
  for (const ArrayPtr& array : wrong) {
    const auto made = ArrowVectors::Make(*array);
    ASSERT_FALSE(made.ok()) << array->type()->ToString();
    EXPECT_EQ(made.error().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(made.error().message(),
                HasSubstr("expected a fixed_size_list of float16, float32 or float64, got " +
                          array->type()->ToString()));
  }
}

TEST(ArrowVectorsTest, RefusesDimensionZero) {
  const ArrayPtr array = arrow::MakeArray(arrow::ArrayData::Make(
      arrow::fixed_size_list(arrow::float32(), 0), 3, {nullptr}, {Floats({})->data()}));
  const auto made = ArrowVectors::Make(*array);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message(), HasSubstr("[0]"));
}

TEST(ArrowVectorsTest, RefusesArraysThatLieAboutTheirSize) {
  const ArrayPtr elements = Floats(RowsFrom(0, 3));
  const auto type = arrow::fixed_size_list(arrow::float32(), kDim);
  const auto lists = [&](std::int64_t length, std::int64_t offset,
                         const std::shared_ptr<arrow::ArrayData>& child) {
    return arrow::MakeArray(
        arrow::ArrayData::Make(type, length, {nullptr}, {child}, /*null_count=*/0, offset));
  };
  const auto short_buffer = arrow::ArrayData::Make(
      arrow::float32(), 16, {nullptr, elements->data()->buffers[1]}, /*null_count=*/0);
  for (const ArrayPtr& array :
       {lists(4, 0, elements->data()), lists(3, 1, elements->data()), lists(4, 0, short_buffer)}) {
    const auto made = ArrowVectors::Make(*array);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(made.error().message(), HasSubstr("expected a valid Arrow array"));
  }
}

TEST(ArrowVectorsTest, SaysWhenMemoryIsOut) {
  // The buffer is not as long as it claims to be, but nobody has memory for 2^61 floats, so it is
  // never read.
  constexpr std::int64_t kRows = std::int64_t{1} << 59U;
  const std::uint8_t byte = 0;
  const auto claimed = std::make_shared<arrow::Buffer>(&byte, kRows * kDim * 2);
  const auto elements =
      arrow::ArrayData::Make(arrow::float16(), kRows * kDim, {nullptr, claimed}, 0);
  const ArrayPtr array = arrow::MakeArray(arrow::ArrayData::Make(
      arrow::fixed_size_list(arrow::float16(), kDim), kRows, {nullptr}, {elements}, 0));
  const auto made = ArrowVectors::Make(*array);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), StatusCode::kOutOfMemory) << made.error().ToString();
}

}  // namespace
}  // namespace forebay
