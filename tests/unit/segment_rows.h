// Rows files in tests: arrays of one column, written, read and compared.
//
// Thread safety: free functions.
#pragma once

#include <arrow/array/array_base.h>
#include <arrow/array/array_dict.h>
#include <arrow/chunked_array.h>
#include <arrow/compare.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "segment/rows_file.h"
#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/segment_files.h"

namespace forebay::segment_test {

using testing::Value;
using ArrayPtr = std::shared_ptr<arrow::Array>;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;
using SchemaPtr = std::shared_ptr<arrow::Schema>;
using TypePtr = std::shared_ptr<arrow::DataType>;

/// Gives them one after the other.
inline segment::NextBatch Each(std::vector<BatchPtr> batches) {
  return [batches = std::move(batches), i = std::size_t{0}]() mutable -> Result<BatchPtr> {
    return i < batches.size() ? batches[i++] : nullptr;
  };
}

inline SchemaPtr SchemaOf(const TypePtr& type) { return arrow::schema({arrow::field("x", type)}); }

inline std::vector<BatchPtr> AsBatches(const std::vector<ArrayPtr>& arrays) {
  std::vector<BatchPtr> batches;
  for (const ArrayPtr& array : arrays) {
    batches.push_back(arrow::RecordBatch::Make(SchemaOf(array->type()), array->length(), {array}));
  }
  return batches;
}

inline Result<segment::FileSum> Write(storage::Directory* directory,
                                      const std::vector<ArrayPtr>& arrays) {
  return segment::WriteRows(directory, "rows", SchemaOf(arrays.front()->type()),
                            Each(AsBatches(arrays)));
}

inline std::vector<BatchPtr> WrittenAndRead(const std::vector<ArrayPtr>& arrays) {
  FaultyDirectory directory;
  const segment::FileSum sum = Value(Write(&directory, arrays));
  return Value(segment::ReadRows(Value(testing::OpenVerified(directory, sum)),
                                 *SchemaOf(arrays.front()->type()), /*validate_in_full=*/true));
}

inline arrow::ArrayVector ColumnOf(const std::vector<BatchPtr>& batches) {
  arrow::ArrayVector arrays;
  for (const BatchPtr& batch : batches) {
    arrays.push_back(batch->column(0));
  }
  return arrays;
}

/// Its values, each in its row.
inline ArrayPtr Decoded(const ArrayPtr& array, const TypePtr& plain) {
  if (array->type_id() != arrow::Type::DICTIONARY) {
    return arrow::compute::Cast(*array, plain).ValueOrDie();
  }
  const auto& words = static_cast<const arrow::DictionaryArray&>(*array);
  return arrow::compute::Take(*words.dictionary(), *words.indices()).ValueOrDie();
}

/// Dictionaries differ: what is compared is of the type `plain`, if there is one.
inline std::shared_ptr<arrow::ChunkedArray> Plain(const arrow::ArrayVector& arrays,
                                                  const TypePtr& plain) {
  arrow::ArrayVector decoded;
  for (const ArrayPtr& array : arrays) {
    decoded.push_back(plain == nullptr ? array : Decoded(array, plain));
  }
  return std::make_shared<arrow::ChunkedArray>(decoded);
}

inline void ExpectSame(const std::vector<BatchPtr>& read, const std::vector<ArrayPtr>& arrays,
                       const TypePtr& plain = nullptr) {
  const auto options = arrow::EqualOptions::Defaults().nans_equal(true);
  EXPECT_TRUE(Plain(ColumnOf(read), plain)->Equals(*Plain(arrays, plain), options));
}

}  // namespace forebay::segment_test
