// Published<T>: an atomic with the memory ordering in each operation's name.
//
// Thread safety: one thread stores, any number load. What the storing thread wrote before
// StoreRelease is visible to a thread whose LoadAcquire returns that value or a later one.
#pragma once

#include <atomic>

namespace forebay {

template <typename T>
class Published {
 public:
  explicit Published(T value = T{}) : value_(value) {}

  [[nodiscard]] T LoadAcquire() const { return value_.load(std::memory_order_acquire); }
  /// For the storing thread itself, which needs no ordering with its own writes.
  [[nodiscard]] T LoadByWriter() const { return value_.load(std::memory_order_relaxed); }
  void StoreRelease(T value) { value_.store(value, std::memory_order_release); }

 private:
  std::atomic<T> value_;
};

}  // namespace forebay
