// Workers: a number of threads that share the tasks of one loop.
//
// Thread safety: one caller at a time.
//
// Invariants:
//   1. ForEach returns when every task has run, or one has thrown (the first exception is then
//      thrown again, and tasks not yet begun are left out), so tasks may borrow from the caller.
//   2. Which thread runs a task is not fixed. Results must not depend on it.
//   3. A thread that cannot be started is done without: the caller's own is always there.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace forebay {

class Workers {
 public:
  /// The calling thread is one of the num_threads; 0 counts as 1.
  explicit Workers(std::size_t num_threads) : num_threads_(std::max<std::size_t>(num_threads, 1)) {}

  /// Calls body(task) for each task in [0, num_tasks).
  template <typename Body>
  void ForEach(std::size_t num_tasks, const Body& body) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr error;
    const auto run = [&]() noexcept {
      try {
        for (std::size_t task = next++; task < num_tasks; task = next++) {
          body(task);
        }
      } catch (...) {
        next = num_tasks;
        const std::scoped_lock lock(mutex);
        error = error ? error : std::current_exception();
      }
    };
    {
      std::vector<std::jthread> others;  // Joined at the end of this block.
      StartThreads(std::min(num_threads_, num_tasks), run, &others);
      run();
    }
    if (error) {
      std::rethrow_exception(error);
    }
  }

  /// Calls body(begin, end) for consecutive ranges of `grain` items (the last may be shorter).
  template <typename Body>
  void ForRanges(std::size_t num_items, std::size_t grain, const Body& body) {
    ForEach((num_items + grain - 1) / grain,
            [&](std::size_t task) { body(task * grain, std::min(num_items, (task + 1) * grain)); });
  }

 private:
  template <typename Run>
  static void StartThreads(std::size_t wanted, const Run& run, std::vector<std::jthread>* threads) {
    try {
      for (std::size_t i = 1; i < wanted; ++i) {
        threads->emplace_back(run);
      }
    } catch (const std::system_error&) {
      // Out of threads: the tasks take longer.
    }
  }

  std::size_t num_threads_;
};

}  // namespace forebay
