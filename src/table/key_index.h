// KeyIndex: where in a MemTable the newest row of each primary key is.
//
// Thread safety: one thread writes; the table locks out readers while it does.
//
// Invariants:
//   1. A key that is here has exactly one row, the newest; it is alive while the MemTable is
//      written to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace arrow {
class Array;
}  // namespace arrow

namespace forebay::table {

/// A key as bytes: an integer's 8 (int64 and uint64 never share a table), or a string's.
using Key = std::string;

/// The keys of a column of int64, uint64 or utf8 without nulls.
std::vector<Key> KeysOf(const arrow::Array& column);

class KeyIndex {
 public:
  /// Rows that were worked out to be added.
  class Addition {
   public:
    /// The next row of the table, with this key. The row that it replaces, if there is one.
    std::optional<std::uint32_t> Add(const KeyIndex& to, const Key& key, std::uint32_t row);

   private:
    friend class KeyIndex;
    std::unordered_map<Key, std::uint32_t> rows_;
  };

  [[nodiscard]] std::optional<std::uint32_t> Find(const Key& key) const;

  /// Room for Apply. It moves what is here, so it counts as a write; std::bad_alloc changes
  /// nothing.
  void MakeRoomFor(const Addition& addition);
  /// After MakeRoomFor.
  void Apply(Addition addition) noexcept;
  /// Forgets these keys; those that are not here are ignored.
  void Remove(const std::vector<Key>& keys) noexcept;

  [[nodiscard]] std::vector<std::pair<Key, std::uint32_t>> ToVector() const {
    return {rows_.begin(), rows_.end()};
  }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

 private:
  std::unordered_map<Key, std::uint32_t> rows_;
};

}  // namespace forebay::table
