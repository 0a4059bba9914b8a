// Workers: a number of threads that share the tasks of one loop: the calling one, and others of the
// process's pool, as far as they have time.
//
// Thread safety: one caller at a time.
//
// Invariants:
//   1. ForEach returns when every task has run, or one has thrown (the first exception is then
//      thrown again, and tasks not yet begun are left out), so tasks may borrow from the caller.
//   2. Which thread runs a task is not fixed. Results must not depend on it.
//   3. A thread that does not come is done without: the caller's own is always there.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>

#include "base/thread_pool.h"

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
    RunTogether(std::min(num_threads_, num_tasks), run);
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
  /// Runs run() in this thread, and at the same time in up to num_threads - 1 others.
  template <typename Run>
  static void RunTogether(std::size_t num_threads, const Run& run) {
    if (num_threads <= 1) {
      run();
      return;
    }
    ThreadPool& pool = ThreadPool::Shared();
    ThreadPool::Job job{.run = [](const void* context) { (*static_cast<const Run*>(context))(); },
                        .context = &run,
                        .openings = num_threads - 1};
    pool.Offer(&job);
    run();
    pool.Withdraw(&job);
  }

  std::size_t num_threads_;
};

}  // namespace forebay
