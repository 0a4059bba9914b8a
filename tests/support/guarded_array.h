// GuardedArray<T>: an array that ends where the memory ends, so that a read or write beyond it
// crashes the test, whatever the instruction.
//
// Thread safety: as a plain array.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <vector>

namespace forebay::testing {

template <typename T>
class GuardedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// All bytes are 0xff, which is a NaN for floats.
  explicit GuardedArray(std::size_t size) : size_(size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t usable = (size * sizeof(T) + page - 1) / page * page;
    mapped_bytes_ = usable + page;
    void* mapped =
        ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
      throw std::bad_alloc();
    }
    mapped_ = static_cast<std::byte*>(mapped);
    std::memset(mapped_, 0xff, usable);
    ::mprotect(mapped_ + usable, page, PROT_NONE);
    void* first = mapped_ + usable - size * sizeof(T);
    data_ = static_cast<T*>(first);
  }
  explicit GuardedArray(const std::vector<T>& values) : GuardedArray(values.size()) {
    if (!values.empty()) {
      std::memcpy(data_, values.data(), values.size() * sizeof(T));
    }
  }
  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;
  ~GuardedArray() { ::munmap(mapped_, mapped_bytes_); }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::vector<T> ToVector() const { return {data_, data_ + size_}; }

 private:
  std::byte* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace forebay::testing
