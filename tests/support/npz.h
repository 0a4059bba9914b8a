// Reads NumPy's .npz archives: the golden files of tests/golden.
//
// Thread safety: one thread at a time for each NpzFile. Throws std::runtime_error whose message
// names the file, the array and what is wrong; a test that cannot read its data has failed.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct zip;  // libzip's zip_t

namespace forebay::testing {

static_assert(std::endian::native == std::endian::little, "npz.cc reads little-endian data only");

template <class T>
struct NpyArray {
  std::vector<std::size_t> shape;  // empty for a scalar, which has one element
  std::vector<T> data;             // row-major; its size is the product of `shape`
};

// NumPy's name of an element type: 'f' floating point, 'i' signed or 'u' unsigned integer.
struct NpyType {
  char kind;
  std::size_t num_bytes;

  friend bool operator==(const NpyType&, const NpyType&) = default;
};

// bool and the character types are no numbers.
template <class T>
concept NpyNumber = (std::integral<T> || std::floating_point<T>)&&!std::same_as<T, bool> &&
                    !std::same_as<T, char> && sizeof(T) <= 8;

class NpzFile {
 public:
  explicit NpzFile(const std::string& path);

  // The array `name`, as given to numpy.savez (without ".npy"). T must be the type it was stored
  // with: nothing is converted.
  template <NpyNumber T>
  [[nodiscard]] NpyArray<T> Read(const std::string& name) const;

  // The names of all arrays, in the file's order.
  [[nodiscard]] std::vector<std::string> Names() const;

 private:
  struct Closer {
    void operator()(zip* archive) const;
  };
  struct RawArray {
    std::vector<std::size_t> shape;
    std::size_t num_elements;
    std::size_t data_offset;        // in `member`, where the elements begin; unaligned
    std::vector<std::byte> member;  // the whole .npy file
  };

  [[nodiscard]] RawArray ReadRaw(const std::string& name, NpyType expected) const;
  [[nodiscard]] std::vector<std::byte> ReadMember(const std::string& member_name) const;

  std::string path_;
  std::unique_ptr<zip, Closer> archive_;
};

template <NpyNumber T>
NpyArray<T> NpzFile::Read(const std::string& name) const {
  constexpr char kKind = std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u';
  RawArray raw = ReadRaw(name, {.kind = kKind, .num_bytes = sizeof(T)});
  NpyArray<T> array{.shape = std::move(raw.shape), .data = std::vector<T>(raw.num_elements)};
  if (!array.data.empty()) {
    std::memcpy(array.data.data(), raw.member.data() + raw.data_offset,
                raw.num_elements * sizeof(T));
  }
  return array;
}

}  // namespace forebay::testing
