#include "table/source.h"

#include <fmt/format.h>

#include "segment/key_file.h"

namespace forebay::table {

std::string Source::name() const {
  return generation.number == 0 ? "memtable" : fmt::format("generation {}", generation.number);
}

std::optional<std::uint32_t> Source::FindKey(const Key& key) const {
  if (key_file != nullptr) {
    return key_file->Find(key);
  }
  return keys == nullptr ? std::nullopt : keys->Find(key);
}

}  // namespace forebay::table
