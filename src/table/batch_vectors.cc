#include "table/batch_vectors.h"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/extension_type.h>
#include <arrow/type.h>

#include <cstring>

#include "base/half_float.h"

namespace forebay::table {
namespace {

/// Of any alignment.
template <typename Stored, typename Convert>
void ConvertRow(const std::uint8_t* from, std::size_t dim, const Convert& convert, float* to) {
  for (std::size_t i = 0; i < dim; ++i) {
    Stored value;
    std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));
    to[i] = convert(value);
  }
}

/// A fixed_size_list, which it is or is stored as.
const arrow::FixedSizeListType& ListType(const arrow::Array& column) {
  const arrow::DataType* type = column.type().get();
  if (type->id() == arrow::Type::EXTENSION) {
    type = static_cast<const arrow::ExtensionType&>(*type).storage_type().get();
  }
  return static_cast<const arrow::FixedSizeListType&>(*type);
}

Result<std::shared_ptr<const ArrowVectors>> Share(const arrow::Array& column) {
  auto vectors = ArrowVectors::Make(column);
  if (!vectors.ok()) {
    return vectors.status();
  }
  return std::make_shared<const ArrowVectors>(*std::move(vectors));
}

}  // namespace

Result<BatchVectors> BatchVectors::OfMemTable(std::shared_ptr<arrow::Array> column) {
  auto all = Share(*column);
  if (!all.ok()) {
    return all.status();
  }
  return BatchVectors(std::move(column), *std::move(all));
}

Result<BatchVectors> BatchVectors::OfGeneration(std::shared_ptr<arrow::Array> column) {
  // The type, without the rows.
  if (const auto none = ArrowVectors::Make(*column->Slice(0, 0)); !none.ok()) {
    return none.status();
  }
  const arrow::FixedSizeListType& list = ListType(*column);
  const arrow::Type::type element = list.value_type()->id();
  if (element == arrow::Type::FLOAT) {
    return OfMemTable(std::move(column));
  }
  BatchVectors vectors(std::move(column), nullptr);
  vectors.is_half_ = element == arrow::Type::HALF_FLOAT;
  vectors.dim_ = static_cast<std::size_t>(list.list_size());
  const arrow::ArrayData& lists = *vectors.column_->data();
  const arrow::ArrayData& elements = *lists.child_data[0];
  const std::int64_t first = elements.offset + lists.offset * list.list_size();
  const std::int64_t width = list.value_type()->byte_width();
  vectors.stored_ = elements.buffers[1]->data() + first * width;
  return vectors;
}

Result<std::shared_ptr<const ArrowVectors>> BatchVectors::All() const {
  return all_ != nullptr ? all_ : Share(*column_);
}

const float* BatchVectors::Row(std::size_t i, float* room) const {
  if (all_ != nullptr) {
    return all_->view().row(i);
  }
  if (is_half_) {
    ConvertRow<std::uint16_t>(stored_ + i * dim_ * sizeof(std::uint16_t), dim_, HalfToFloat, room);
  } else {
    ConvertRow<double>(
        stored_ + i * dim_ * sizeof(double), dim_,
        [](double value) { return static_cast<float>(value); }, room);
  }
  return room;
}

std::uint64_t BatchVectors::num_bytes() const {
  if (all_ == nullptr || all_->zero_copy()) {
    return 0;
  }
  const VectorView view = all_->view();
  return view.num_rows * view.dim * sizeof(float);
}

}  // namespace forebay::table
