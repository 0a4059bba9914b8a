// ThreadPool: the threads that help the process's loops, started when first wanted and kept.
//
// Thread safety: any number of threads may offer jobs.
//
// Invariants:
//   1. Whoever offers a job works on it itself, and waits only for threads that have begun with it:
//      nobody depends on a thread that may not come.
//   2. There are never more threads than the CPUs, less the caller's. Those that cannot be started
//      are done without.
//   3. A forked child starts with a pool of its own, as the parent's threads are not in it. (A task
//      must not fork: what it works on is not whole in the child.)
//   4. The pool is never destroyed: its threads may still be at work while the process exits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

namespace forebay {

class ThreadPool {
 public:
  /// What any number of threads may run at the same time. Must not throw.
  struct Job {
    void (*run)(const void* context) = nullptr;
    const void* context = nullptr;
    std::size_t openings = 0;  ///< Threads that may still begin with it. The pool's while offered.
    std::size_t running = 0;   ///< The pool's.
  };

  static ThreadPool& Shared();

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Lets waiting threads begin with the job.
  void Offer(Job* job) noexcept;
  /// Lets no more begin with it, and waits for those that have.
  void Withdraw(Job* job) noexcept;

 private:
  ThreadPool();
  ~ThreadPool() = default;

  void StartThreads();
  void Work();
  /// Takes one of a job's openings; nullptr when there are none.
  Job* TakeOpening();

  const std::size_t max_threads_;
  std::mutex mutex_;  // Of all that follows, and of the jobs offered.
  std::condition_variable offered_;
  std::condition_variable finished_;
  std::vector<Job*> jobs_;  // The oldest first.
  std::size_t num_threads_ = 0;
  std::size_t num_waiting_ = 0;  // Or started, and about to.
};

}  // namespace forebay
