// KeyFile: which row has a key. The keys of a generation's rows, sorted, searched where the file is
// mapped.
//
// Thread safety: immutable.
//
// Invariants:
//   1. Keys are ascending and no two are equal: integers as u64, strings by their bytes.
//   2. Whatever the bytes, nothing outside of them is read, and every ordinal given is below
//      num_rows. What was not verified may be found wrongly, or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "forebay/status.h"
#include "segment/segment_file.h"
#include "storage/directory.h"

namespace forebay::segment {

enum class KeyKind : std::uint32_t {
  kInteger64 = 0,  ///< Keys are 8 bytes: an int64 or uint64, little-endian.
  kString = 1,
};

/// Writes keys and the ordinals of their rows, which may come in any order. kInvalidArgument when
/// a key is there twice, or has not the size of its kind.
Result<FileSum> WriteKeys(storage::Directory* directory, const std::string& name, KeyKind kind,
                          std::vector<std::pair<std::string, std::uint32_t>> keys);

class KeyFile {
 public:
  /// What WriteKeys wrote. kCorruption when the header was altered or the size is not the one that
  /// it says, or, with `verify`, when the invariants do not hold.
  static Result<KeyFile> Open(std::shared_ptr<const storage::Mapping> mapping, bool verify,
                              std::uint32_t num_rows);

  /// The ordinal of the row with this key.
  [[nodiscard]] std::optional<std::uint32_t> Find(std::string_view key) const;
  /// How many keys.
  [[nodiscard]] std::size_t size() const { return ordinals_.size(); }
  [[nodiscard]] KeyKind kind() const { return kind_; }

  /// Calls body(key, ordinal) for all, ascending.
  template <typename Body>
  void ForEach(const Body& body) const {
    for (std::size_t i = 0; i < size(); ++i) {
      if (ordinals_[i] < num_rows_) {
        body(KeyAt(i), ordinals_[i]);
      }
    }
  }

 private:
  KeyFile() = default;
  /// Takes the file apart. Whether its size is the one that its header says.
  [[nodiscard]] bool Divide(std::uint64_t num_keys, std::uint64_t text_bytes);
  [[nodiscard]] Status Verify() const;
  [[nodiscard]] Status VerifyText() const;
  [[nodiscard]] std::string_view KeyAt(std::size_t i) const;
  /// What all keys begin with.
  [[nodiscard]] std::string_view prefix() const;
  [[nodiscard]] std::optional<std::uint32_t> OrdinalAt(std::size_t i) const;
  /// The place of the first word that is not less than this one.
  [[nodiscard]] std::size_t FirstNotLess(std::uint64_t word) const;
  /// `first` is the first place of the key's word.
  [[nodiscard]] std::optional<std::uint32_t> FindText(std::string_view key,
                                                      std::size_t first) const;

  std::shared_ptr<const storage::Mapping> mapping_;
  KeyKind kind_ = KeyKind::kInteger64;
  std::uint32_t num_rows_ = 0;
  std::size_t prefix_bytes_ = 0;
  /// By which keys are found first: integers themselves, of strings the eight bytes after what all
  /// of them begin with.
  std::span<const std::uint64_t> words_;
  std::span<const std::uint64_t> samples_;  ///< Every 64th word, close together.
  std::span<const std::uint64_t> offsets_;  ///< Of strings: one more than keys.
  std::span<const std::uint32_t> ordinals_;
  std::string_view text_;
};

}  // namespace forebay::segment
