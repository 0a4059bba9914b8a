// ArrowVectors: a fixed_size_list array as rows of float32.
#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/extension_type.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/float16.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/half_float.h"
#include "base/no_throw.h"
#include "forebay/arrow.h"

namespace forebay {
namespace {

/// A fixed_size_list taken apart. Sliced lists and sliced elements both shift where a row begins.
struct FloatLists {
  const arrow::ArrayData* lists = nullptr;
  const arrow::ArrayData* elements = nullptr;
  arrow::Type::type element_type = arrow::Type::NA;
  std::int64_t dim = 0;

  [[nodiscard]] std::size_t num_rows() const { return static_cast<std::size_t>(lists->length); }
  /// Where row i begins among the elements, whose own offset is not included.
  [[nodiscard]] std::int64_t first_element(std::int64_t i) const {
    return (lists->offset + i) * dim;
  }
  /// The bytes of row i, when elements are `width_bytes` wide. Without a row there may be no
  /// buffer either.
  [[nodiscard]] const std::uint8_t* row(std::int64_t i, std::int64_t width_bytes) const {
    return elements->buffers[1]->data() + (elements->offset + first_element(i)) * width_bytes;
  }
  /// Whether neither row i nor any element of it is null.
  [[nodiscard]] bool IsValid(std::int64_t i, bool any_null_element) const {
    if (!lists->IsValid(i)) {
      return false;
    }
    for (std::int64_t j = 0; any_null_element && j < dim; ++j) {
      if (!elements->IsValid(first_element(i) + j)) {
        return false;
      }
    }
    return true;
  }
};

/// Takes `vectors` apart, after checking all that the rest of this file relies on.
Result<FloatLists> TakeApart(const arrow::Array& vectors) {
  const arrow::ArrayData& data = *vectors.data();
  const arrow::DataType* type = data.type.get();
  if (type->id() == arrow::Type::EXTENSION) {  // Say a tensor: its storage has the same buffers.
    type = static_cast<const arrow::ExtensionType&>(*type).storage_type().get();
  }
  const auto wrong_type = [&] {
    return Status::InvalidArgument(
        fmt::format("expected a fixed_size_list of float16, float32 or float64, got {}; "
                    "cast it first",
                    vectors.type()->ToString()));
  };
  if (type->id() != arrow::Type::FIXED_SIZE_LIST) {
    return wrong_type();
  }
  const auto& list_type = static_cast<const arrow::FixedSizeListType&>(*type);
  const arrow::Type::type element_type = list_type.value_type()->id();
  const bool floats = element_type == arrow::Type::FLOAT || element_type == arrow::Type::DOUBLE ||
                      element_type == arrow::Type::HALF_FLOAT;
  if (!floats) {
    return wrong_type();
  }
  if (list_type.list_size() <= 0) {
    return Status::InvalidArgument(fmt::format("expected vectors of at least one dimension, got {}",
                                               vectors.type()->ToString()));
  }
  if (vectors.device_type() != arrow::DeviceAllocationType::kCPU) {
    return Status::InvalidArgument(
        "expected vectors in main memory, got an array on another device; copy it to the CPU");
  }
  // Arrays from other programs may lie about their sizes. Arrow's own check leaves out the offset.
  const arrow::Status valid = vectors.Validate();
  if (!valid.ok()) {
    return Status::InvalidArgument("expected a valid Arrow array, got one with a fault: " +
                                   valid.message());
  }
  const arrow::ArrayData& elements = *data.child_data[0];
  if (data.length > elements.length / list_type.list_size() - data.offset) {
    return Status::InvalidArgument(
        fmt::format("expected a valid Arrow array, got {} rows from row {} on of {} elements",
                    data.length, data.offset, elements.length));
  }
  return FloatLists{&data, &elements, element_type, list_type.list_size()};
}

/// A bitmap of the rows where nothing is null; empty when that is all of them.
std::vector<std::uint8_t> RowValidity(const FloatLists& from) {
  const bool any_null_row = from.lists->GetNullCount() != 0;
  const bool any_null_element = from.elements->GetNullCount() != 0;  // Maybe not in this slice.
  if (!any_null_row && !any_null_element) {
    return {};
  }
  std::vector<std::uint8_t> validity((from.num_rows() + 7) / 8);
  bool all_valid = true;
  for (std::int64_t i = 0; i < from.lists->length; ++i) {
    const bool valid = from.IsValid(i, any_null_element);
    arrow::bit_util::SetBitTo(validity.data(), i, valid);
    all_valid = all_valid && valid;
  }
  if (all_valid) {
    validity.clear();
  }
  return validity;
}

float ToFloat32(arrow::util::Float16 value) { return HalfToFloat(value.bits()); }
float ToFloat32(float value) { return value; }
float ToFloat32(double value) {
  static_assert(std::numeric_limits<float>::is_iec559);  // So what is too large becomes infinite.
  return static_cast<float>(value);
}

bool RowIsValid(const std::vector<std::uint8_t>& validity, std::size_t row) {
  return validity.empty() || arrow::bit_util::GetBit(validity.data(), row);
}

/// Rows that are not valid become NaN; their bytes are not looked at.
template <typename Stored>
std::vector<float> Convert(const FloatLists& from, const std::vector<std::uint8_t>& validity) {
  const auto dim = static_cast<std::size_t>(from.dim);
  std::vector<float> to(from.num_rows() * dim, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < from.num_rows(); ++i) {
    if (!RowIsValid(validity, i)) {
      continue;
    }
    const std::uint8_t* bytes = from.row(static_cast<std::int64_t>(i), sizeof(Stored));
    for (std::size_t j = 0; j < dim; ++j) {
      Stored value;
      std::memcpy(&value, bytes + j * sizeof(Stored), sizeof(Stored));  // It may be misaligned.
      to[i * dim + j] = ToFloat32(value);
    }
  }
  return to;
}

std::vector<float> Convert(const FloatLists& from, const std::vector<std::uint8_t>& validity) {
  switch (from.element_type) {
    case arrow::Type::HALF_FLOAT:
      return Convert<arrow::util::Float16>(from, validity);
    case arrow::Type::DOUBLE:
      return Convert<double>(from, validity);
    default:
      return Convert<float>(from, validity);
  }
}

/// The rows as they lie in Arrow's buffer, or nullptr when they cannot be used like that.
const float* RowsInPlace(const FloatLists& from, const std::vector<std::uint8_t>& validity) {
  if (from.element_type != arrow::Type::FLOAT || !validity.empty() || from.num_rows() == 0) {
    return nullptr;
  }
  const void* rows = from.row(0, sizeof(float));
  const bool aligned = reinterpret_cast<std::uintptr_t>(rows) % alignof(float) == 0;
  return aligned ? static_cast<const float*>(rows) : nullptr;
}

}  // namespace

Result<ArrowVectors> ArrowVectors::Make(const arrow::Array& vectors) {
  return NoThrow([&]() -> Result<ArrowVectors> {
    const Result<FloatLists> from = TakeApart(vectors);
    if (!from.ok()) {
      return from.error();
    }
    ArrowVectors made;
    made.validity_ = RowValidity(*from);
    made.view_ = {nullptr, from->num_rows(), static_cast<std::size_t>(from->dim)};
    if (const float* rows = RowsInPlace(*from, made.validity_)) {
      made.borrowed_ = from->elements->buffers[1];
      made.view_.data = rows;
    } else {
      made.converted_ = Convert(*from, made.validity_);
      made.view_.data = made.converted_.data();
    }
    return made;
  });
}

VectorBatch ArrowVectors::batch(std::uint64_t first_row_position) const {
  VectorBatch batch;
  batch.vectors = view_;
  batch.first_row_position = first_row_position;
  batch.validity = validity_.empty() ? nullptr : validity_.data();
  return batch;
}

}  // namespace forebay
