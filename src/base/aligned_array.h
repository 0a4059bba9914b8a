// AlignedArray<T>: a fixed-size heap array on a cache-line boundary.
//
// Thread safety: as a plain array; the elements never move.
//
// Invariants:
//   1. data() is aligned to 64 bytes, and the allocation is a multiple of 64 bytes long.
//   2. Elements are not initialised, so pages that nobody wrote cost no memory.
//   3. An array of kHugeBytes or more asks for huge pages: reading it here and there would else
//      miss the TLB at every step. A smaller one does not, as a started page costs 2 MiB.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace forebay {

inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kHugePage = std::size_t{1} << 21U;

template <typename T>
class AlignedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  static constexpr std::size_t kHugeBytes = 2 * kHugePage;

  AlignedArray() = default;
  /// Throws std::bad_alloc.
  explicit AlignedArray(std::size_t size) : size_(size) {
    const std::size_t bytes = (size * sizeof(T) + kCacheLine - 1) / kCacheLine * kCacheLine;
    const bool huge = bytes >= kHugeBytes;
    const auto alignment = std::align_val_t(huge ? kHugePage : kCacheLine);
    void* memory = ::operator new(bytes, alignment);
    data_ = {static_cast<T*>(memory), Free{alignment}};
    if (huge) {
      ::madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // Only a wish.
    }
  }

  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    std::align_val_t alignment{kCacheLine};
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace forebay
