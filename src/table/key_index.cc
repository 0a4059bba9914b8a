#include "table/key_index.h"

#include <arrow/array/array_binary.h>
#include <arrow/array/array_primitive.h>
#include <arrow/type.h>

#include <cassert>
#include <utility>

namespace forebay::table {
namespace {

template <typename Array>
void AppendIntegers(const arrow::Array& column, std::vector<Key>* keys) {
  const auto& values = static_cast<const Array&>(column);
  for (std::int64_t i = 0; i < column.length(); ++i) {
    const auto value = values.Value(i);
    keys->emplace_back(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

}  // namespace

std::vector<Key> KeysOf(const arrow::Array& column) {
  std::vector<Key> keys;
  keys.reserve(static_cast<std::size_t>(column.length()));
  switch (column.type_id()) {
    case arrow::Type::INT64:
      AppendIntegers<arrow::Int64Array>(column, &keys);
      break;
    case arrow::Type::UINT64:
      AppendIntegers<arrow::UInt64Array>(column, &keys);
      break;
    default: {
      assert(column.type_id() == arrow::Type::STRING);
      const auto& values = static_cast<const arrow::StringArray&>(column);
      for (std::int64_t i = 0; i < column.length(); ++i) {
        keys.emplace_back(values.GetView(i));
      }
    }
  }
  return keys;
}

std::optional<std::uint32_t> KeyIndex::Addition::Add(const KeyIndex& to, const Key& key,
                                                     std::uint32_t row) {
  const auto [place, is_new] = rows_.try_emplace(key, row);
  if (is_new) {
    return to.Find(key);
  }
  return std::exchange(place->second, row);
}

std::optional<std::uint32_t> KeyIndex::Find(const Key& key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() ? std::nullopt : std::optional(found->second);
}

void KeyIndex::MakeRoomFor(const Addition& addition) {
  const std::size_t needed = rows_.size() + addition.rows_.size();
  const auto room =
      static_cast<std::size_t>(static_cast<float>(rows_.bucket_count()) * rows_.max_load_factor());
  if (needed > room) {
    rows_.reserve(2 * needed);
  }
}

void KeyIndex::Apply(Addition addition) noexcept {
  while (!addition.rows_.empty()) {
    auto node = addition.rows_.extract(addition.rows_.begin());
    const auto found = rows_.find(node.key());
    if (found == rows_.end()) {
      rows_.insert(std::move(node));
    } else {
      found->second = node.mapped();
    }
  }
}

void KeyIndex::Remove(const std::vector<Key>& keys) noexcept {
  for (const Key& key : keys) {
    rows_.erase(key);
  }
}

}  // namespace forebay::table
