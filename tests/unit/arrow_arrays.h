// Arrays and an index for the Arrow tests. Arrays are put together from raw buffers, so that a
// test chooses every byte, also those under nulls.
#pragma once

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/float16.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "forebay/arrow.h"

namespace forebay::arrow_test {

using ArrayPtr = std::shared_ptr<arrow::Array>;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;
using Bits = std::vector<bool>;

inline constexpr std::int32_t kDim = 4;

/// nullptr for no bits: nothing is null.
inline std::shared_ptr<arrow::Buffer> Bitmap(const Bits& bits) {
  if (bits.empty()) {
    return nullptr;
  }
  std::vector<std::uint8_t> bytes((bits.size() + 7) / 8);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    arrow::bit_util::SetBitTo(bytes.data(), static_cast<std::int64_t>(i), bits[i]);
  }
  return arrow::Buffer::FromVector(std::move(bytes));
}

/// `values` as they are, also where `valid` says null.
template <typename T>
ArrayPtr Elements(const std::shared_ptr<arrow::DataType>& type, std::vector<T> values,
                  const Bits& valid = {}) {
  const auto length = static_cast<std::int64_t>(values.size());
  return arrow::MakeArray(arrow::ArrayData::Make(
      type, length, {Bitmap(valid), arrow::Buffer::FromVector(std::move(values))}));
}

inline ArrayPtr Floats(std::vector<float> values, const Bits& valid = {}) {
  return Elements(arrow::float32(), std::move(values), valid);
}

/// Lists over `elements`, their offset included.
inline ArrayPtr Lists(const ArrayPtr& elements, const Bits& valid = {}, std::int32_t dim = kDim) {
  return arrow::MakeArray(arrow::ArrayData::Make(arrow::fixed_size_list(elements->type(), dim),
                                                 elements->length() / dim, {Bitmap(valid)},
                                                 {elements->data()}));
}

inline BatchPtr Batch(const ArrayPtr& column, const std::string& name = "vector") {
  return arrow::RecordBatch::Make(arrow::schema({arrow::field(name, column->type())}),
                                  column->length(), {column});
}

/// What row `i` of RowsFrom holds; its code is {i, i + 1}.
inline std::array<float, kDim> Row(std::size_t i) {
  const auto value = static_cast<float>(i);
  return {value, value, value + 1, value + 1};
}

/// Row(first) .. Row(first + count - 1), one after the other.
inline std::vector<float> RowsFrom(std::size_t first, std::size_t count) {
  std::vector<float> values(count * kDim);
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = Row(first + i);
    std::copy(row.begin(), row.end(), values.begin() + static_cast<std::ptrdiff_t>(i * kDim));
  }
  return values;
}

/// An index whose codes can be read off the vectors: codeword k is (k, k), codes are not residual,
/// and rows are in partition 0 below 100 and in 1 above.
inline IvfPqMemIndex MakeIndex(const MemIndexOptions& options = {}) {
  const std::array<float, 3 * kDim> centroids = {50, 50, 50, 50, 150, 150, 150, 150, 1e6, 0, 0, 0};
  std::vector<float> codebook;
  for (int sub_vector = 0; sub_vector < 2; ++sub_vector) {
    for (int k = 0; k < 256; ++k) {
      codebook.insert(codebook.end(), 2, static_cast<float>(k));
    }
  }
  auto ivf = IvfModel::Create({centroids.data(), 3, kDim});
  auto pq = ProductQuantizer::Create(kDim, 2, 8, codebook);
  auto model = IvfPqModel::Create(Metric::kL2, ivf.value(), pq.value(), /*residual=*/false);
  return IvfPqMemIndex::Create(model.value(), options).value();
}

using Code = std::array<int, 2>;
using Contents = std::map<std::uint64_t, Code>;

/// All that is indexed: row position to code.
inline Contents ContentsOf(const IvfPqMemIndex& index) {
  Contents contents;
  for (const PartitionEntries& entries : index.partitions()) {
    for (std::size_t i = 0; i < entries.row_positions.size(); ++i) {
      contents[entries.row_positions[i]] = {entries.codes[2 * i], entries.codes[2 * i + 1]};
    }
  }
  return contents;
}

/// Rows first_row .. first_row + count - 1 at positions from first_position on.
inline Contents ContentsFrom(std::uint64_t first_position, int first_row, int count) {
  Contents contents;
  for (int i = 0; i < count; ++i) {
    contents[first_position + static_cast<std::uint64_t>(i)] = {first_row + i, first_row + i + 1};
  }
  return contents;
}

}  // namespace forebay::arrow_test
