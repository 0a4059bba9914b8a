// AlignedArray<T>: a fixed-size heap array on a cache-line boundary.
//
// Thread safety: as a plain array; the elements never move.
//
// Invariants:
//   1. data() is aligned to 64 bytes, and the allocation is a multiple of 64 bytes long.
//   2. Elements are not initialised, so pages that nobody wrote cost no memory.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace forebay {

inline constexpr std::size_t kCacheLine = 64;

template <typename T>
class AlignedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  AlignedArray() = default;
  /// Throws std::bad_alloc.
  explicit AlignedArray(std::size_t size) : size_(size) {
    const std::size_t bytes = (size * sizeof(T) + kCacheLine - 1) / kCacheLine * kCacheLine;
    data_.reset(static_cast<T*>(::operator new(bytes, std::align_val_t(kCacheLine))));
  }

  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(kCacheLine)); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace forebay
