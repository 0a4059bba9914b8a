#include "segment/dictionaries.h"

#include <arrow/array/array_base.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/compare.h>
#include <arrow/extension_type.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <arrow/util/binary_view_util.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

namespace forebay::segment {
namespace {

using arrow::ArrayData;
using arrow::DataType;
using DataPtr = std::shared_ptr<ArrayData>;
using DataResult = arrow::Result<DataPtr>;

/// How arrays of this type are laid out.
const DataType& StorageOf(const DataType& type) {
  const DataType* storage = &type;
  while (storage->id() == arrow::Type::EXTENSION) {
    storage = static_cast<const arrow::ExtensionType&>(*storage).storage_type().get();
  }
  return *storage;
}

/// A copy that shares its buffers, after on_array(type, &copy) changed each array of the tree,
/// always in the same order.
template <typename OnArray>
DataResult Changed(const ArrayData& data, const OnArray& on_array) {
  DataPtr copy = data.Copy();
  for (DataPtr& child : copy->child_data) {
    ARROW_ASSIGN_OR_RAISE(child, Changed(*child, on_array));
  }
  ARROW_RETURN_NOT_OK(on_array(StorageOf(*copy->type), copy.get()));
  return copy;
}

bool IsValid(const ArrayData& data, std::int64_t i) {
  return data.buffers[0] == nullptr ||
         arrow::bit_util::GetBit(data.buffers[0]->data(),
                                 static_cast<std::uint64_t>(data.offset + i));
}

/// An index of each type is at most this. (Arrow numbers values with 31 bits itself.)
std::int64_t GreatestIndex(const DataType& type) {
  switch (type.id()) {
    case arrow::Type::INT8:
      return std::numeric_limits<std::int8_t>::max();
    case arrow::Type::UINT8:
      return std::numeric_limits<std::uint8_t>::max();
    case arrow::Type::INT16:
      return std::numeric_limits<std::int16_t>::max();
    case arrow::Type::UINT16:
      return std::numeric_limits<std::uint16_t>::max();
    default:
      return std::numeric_limits<std::int32_t>::max() - 1;
  }
}

template <typename Index>
arrow::Status MoveIndices(const std::vector<std::int32_t>& places, ArrayData* data) {
  ARROW_ASSIGN_OR_RAISE(auto buffer,
                        arrow::AllocateBuffer((data->offset + data->length) *
                                              static_cast<std::int64_t>(sizeof(Index))));
  auto* const moved = buffer->mutable_data_as<Index>();
  std::fill_n(moved, data->offset + data->length, Index{0});
  const auto* const indices = data->GetValues<Index>(1);
  for (std::int64_t i = 0; i < data->length; ++i) {
    if (!IsValid(*data, i)) {
      continue;  // Anything may be there.
    }
    // A negative one is too large. NOLINTNEXTLINE(bugprone-signed-char-misuse)
    const auto index = static_cast<std::uint64_t>(indices[i]);
    if (index >= places.size()) {
      return arrow::Status::Invalid("a dictionary has ", places.size(), " values, but index ",
                                    +indices[i], " is used");
    }
    moved[data->offset + i] = static_cast<Index>(places[index]);
  }
  data->buffers[1] = std::move(buffer);
  return arrow::Status::OK();
}

arrow::Status MoveIndices(const DataType& type, const std::vector<std::int32_t>& places,
                          ArrayData* data) {
  switch (type.id()) {
    case arrow::Type::INT8:
      return MoveIndices<std::int8_t>(places, data);
    case arrow::Type::UINT8:
      return MoveIndices<std::uint8_t>(places, data);
    case arrow::Type::INT16:
      return MoveIndices<std::int16_t>(places, data);
    case arrow::Type::UINT16:
      return MoveIndices<std::uint16_t>(places, data);
    case arrow::Type::INT32:
      return MoveIndices<std::int32_t>(places, data);
    case arrow::Type::UINT32:
      return MoveIndices<std::uint32_t>(places, data);
    case arrow::Type::INT64:
      return MoveIndices<std::int64_t>(places, data);
    default:
      return MoveIndices<std::uint64_t>(places, data);
  }
}

const DataType& IndexTypeOf(const DataType& dictionary_type) {
  return *static_cast<const arrow::DictionaryType&>(dictionary_type).index_type();
}

bool IsView(const DataType& type) {
  return type.id() == arrow::Type::BINARY_VIEW || type.id() == arrow::Type::STRING_VIEW;
}

/// Offsets into a buffer have 31 bits.
constexpr std::size_t kViewedBytes = std::size_t{1} << 30U;

arrow::Status OwnViews(ArrayData* data) {
  using View = arrow::BinaryViewType::c_type;
  ARROW_ASSIGN_OR_RAISE(auto buffer,
                        arrow::AllocateBuffer((data->offset + data->length) *
                                              static_cast<std::int64_t>(sizeof(View))));
  auto* const owned = buffer->mutable_data_as<View>();
  std::fill_n(owned, data->offset + data->length, View{});
  const auto* const views = data->GetValues<View>(1);
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < data->length; ++i) {
    if (!IsValid(*data, i)) {
      continue;
    }
    if (views[i].is_inline()) {
      owned[data->offset + i] = views[i];
      continue;
    }
    const auto text = arrow::util::FromBinaryView(views[i], data->buffers.data() + 2);
    if (texts.empty() || texts.back().size() + text.size() > kViewedBytes) {
      texts.emplace_back();
    }
    owned[data->offset + i] =
        arrow::util::ToNonInlineBinaryView(text.data(), static_cast<std::int32_t>(text.size()),
                                           static_cast<std::int32_t>(texts.size() - 1),
                                           static_cast<std::int32_t>(texts.back().size()));
    texts.back() += text;
  }
  data->buffers = {data->buffers[0], std::move(buffer)};
  for (std::string& text : texts) {
    data->buffers.push_back(arrow::Buffer::FromString(std::move(text)));
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status ColumnDictionaries::Merged::Unify(const arrow::Array& dictionary) {
  // A new one each time: it cannot be used once it gave its result.
  ARROW_ASSIGN_OR_RAISE(const auto unifier, arrow::DictionaryUnifier::Make(dictionary.type()));
  if (values != nullptr) {
    ARROW_RETURN_NOT_OK(unifier->Unify(*arrow::MakeArray(values)));
  }
  std::shared_ptr<arrow::Buffer> transposed;
  ARROW_RETURN_NOT_OK(unifier->Unify(dictionary, &transposed));
  std::shared_ptr<DataType> type;
  std::shared_ptr<arrow::Array> unified;
  ARROW_RETURN_NOT_OK(unifier->GetResult(&type, &unified));
  const auto* const begin = transposed->data_as<std::int32_t>();
  places.assign(begin, begin + dictionary.length());
  if (values == nullptr || values->length != unified->length()) {
    values = unified->data();
  }
  return arrow::Status::OK();
}

arrow::Status ColumnDictionaries::Merged::Append(const arrow::Array& dictionary) {
  const auto options = arrow::EqualOptions::Defaults().nans_equal(true);
  if (last_added != nullptr && arrow::MakeArray(last_added)->Equals(dictionary, options)) {
    return arrow::Status::OK();  // At the same places.
  }
  const auto before = values == nullptr ? nullptr : arrow::MakeArray(values);
  const bool is_there = before != nullptr && before->length() >= dictionary.length() &&
                        before->Slice(0, dictionary.length())->Equals(dictionary, options);
  const std::int64_t begin = before == nullptr || is_there ? 0 : before->length();
  if (before == nullptr) {
    values = dictionary.data();
  } else if (!is_there) {
    ARROW_ASSIGN_OR_RAISE(const auto longer, arrow::Concatenate({before, dictionary.Slice(0)}));
    values = longer->data();
  }
  places.resize(static_cast<std::size_t>(dictionary.length()));
  std::iota(places.begin(), places.end(), static_cast<std::int32_t>(begin));
  return arrow::Status::OK();
}

arrow::Status ColumnDictionaries::Merged::Add(const DataPtr& dictionary,
                                              const DataType& index_type) {
  if (dictionary == last_added) {
    return arrow::Status::OK();
  }
  const auto array = arrow::MakeArray(dictionary);
  // Arrow unifies neither nulls among the values, nor values that have parts.
  const bool has_nulls =
      array->null_count() > 0 || (values != nullptr && values->GetNullCount() > 0);
  arrow::Status added = has_nulls ? Append(*array) : Unify(*array);
  added = added.IsNotImplemented() ? Append(*array) : added;
  ARROW_RETURN_NOT_OK(added);
  if (values->length - 1 > GreatestIndex(index_type)) {
    return arrow::Status::Invalid("the dictionaries of all rows have ", values->length,
                                  " values, more than ", index_type.ToString(),
                                  " can number; use a wider type of index");
  }
  last_added = dictionary;
  return arrow::Status::OK();
}

DataResult ColumnDictionaries::Add(const ArrayData& column) {
  std::size_t next = 0;
  return Changed(column, [&](const DataType& type, ArrayData* data) -> arrow::Status {
    if (type.id() != arrow::Type::DICTIONARY) {
      return arrow::Status::OK();
    }
    merged_.resize(std::max(merged_.size(), next + 1));
    Merged& merged = merged_[next++];
    const DataType& index_type = IndexTypeOf(type);
    ARROW_RETURN_NOT_OK(merged.Add(data->dictionary, index_type));
    data->dictionary = merged.values;
    return MoveIndices(index_type, merged.places, data);
  });
}

DataResult ColumnDictionaries::Renew(const ArrayData& column) const {
  std::size_t next = 0;
  return Changed(column, [&](const DataType& type, ArrayData* data) {
    if (type.id() == arrow::Type::DICTIONARY) {
      data->dictionary = merged_[next++].values;
    }
    return arrow::Status::OK();
  });
}

DataResult WithOwnViews(const ArrayData& column) {
  return Changed(column, [](const DataType& type, ArrayData* data) {
    return IsView(type) ? OwnViews(data) : arrow::Status::OK();
  });
}

bool HasViews(const DataType& type) {
  const DataType& storage = StorageOf(type);
  return IsView(storage) || std::any_of(storage.fields().begin(), storage.fields().end(),
                                        [](const auto& field) { return HasViews(*field->type()); });
}

}  // namespace forebay::segment
