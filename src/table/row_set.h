// RowSet: a set of rows by ordinal, a bit for each.
//
// Thread safety: a plain value.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "forebay/search.h"

namespace forebay::table {

class RowSet {
 public:
  RowSet() = default;
  /// Empty, with room for rows below `size`.
  explicit RowSet(std::size_t size) : words_((size + kBits - 1) / kBits) {}

  /// Of these words of a bitmap.
  static RowSet OfWords(std::vector<std::uint64_t> words) {
    RowSet rows;
    rows.words_ = std::move(words);
    return rows;
  }

  [[nodiscard]] bool Contains(std::uint32_t row) const { return bitmap().Contains(row); }

  /// Whether it was not there.
  bool Add(std::uint32_t row) {
    words_.resize(std::max<std::size_t>(words_.size(), row / kBits + 1));
    const std::uint64_t bit = std::uint64_t{1} << (row % kBits);
    const bool is_new = (words_[row / kBits] & bit) == 0;
    words_[row / kBits] |= bit;
    return is_new;
  }

  [[nodiscard]] std::size_t Count() const {
    std::size_t count = 0;
    for (const std::uint64_t word : words_) {
      count += static_cast<std::size_t>(std::popcount(word));
    }
    return count;
  }

  /// Calls body(row) for each, in ascending order.
  template <typename Body>
  void ForEach(const Body& body) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1) {
        body(static_cast<std::uint32_t>(i * kBits +
                                        static_cast<std::size_t>(std::countr_zero(word))));
      }
    }
  }

  [[nodiscard]] std::vector<std::uint32_t> ToVector() const {
    std::vector<std::uint32_t> rows;
    ForEach([&](std::uint32_t row) { rows.push_back(row); });
    return rows;
  }
  /// A bitmap of rows below `size`.
  [[nodiscard]] std::vector<std::uint64_t> Words(std::size_t size) const {
    std::vector<std::uint64_t> words = words_;
    words.resize((size + kBits - 1) / kBits);
    return words;
  }

  /// Those that are not in `others`.
  [[nodiscard]] RowSet Without(const RowSet& others) const {
    RowSet left = *this;
    for (std::size_t i = 0; i < std::min(words_.size(), others.words_.size()); ++i) {
      left.words_[i] &= ~others.words_[i];
    }
    return left;
  }

  [[nodiscard]] std::size_t num_bytes() const { return words_.size() * sizeof(std::uint64_t); }
  [[nodiscard]] Bitmap bitmap() const { return {words_, words_.size() * kBits}; }

 private:
  static constexpr std::size_t kBits = 64;

  std::vector<std::uint64_t> words_;
};

}  // namespace forebay::table
