#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

namespace forebay {
namespace {

constinit std::atomic<ThreadPool*> shared_pool{nullptr};

/// In a forked child: locks of the parent's pool may be held by threads that are not there.
void ForgetPool() { shared_pool.store(nullptr, std::memory_order_relaxed); }

[[maybe_unused]] const int kForgetsInChild = ::pthread_atfork(nullptr, nullptr, ForgetPool);

}  // namespace

ThreadPool& ThreadPool::Shared() {
  ThreadPool* pool = shared_pool.load(std::memory_order_acquire);
  if (pool == nullptr) {
    auto* const made = new ThreadPool();
    if (shared_pool.compare_exchange_strong(pool, made, std::memory_order_acq_rel)) {
      return *made;
    }
    delete made;  // Another thread was faster.
  }
  return *pool;
}

ThreadPool::ThreadPool() : max_threads_(std::max(std::thread::hardware_concurrency(), 1U) - 1U) {}

void ThreadPool::Offer(Job* job) noexcept {
  const std::size_t wanted = std::min(job->openings, max_threads_);
  {
    const std::scoped_lock lock(mutex_);
    try {
      jobs_.push_back(job);
      StartThreads();
    } catch (const std::exception&) {
      // Out of memory or of threads: the job takes longer.
    }
  }
  for (std::size_t i = 0; i < wanted; ++i) {
    offered_.notify_one();
  }
}

void ThreadPool::StartThreads() {
  std::size_t openings = 0;
  for (const Job* job : jobs_) {
    openings += job->openings;
  }
  while (num_waiting_ < openings && num_threads_ < max_threads_) {
    std::thread([this] { Work(); }).detach();
    ++num_threads_;
    ++num_waiting_;
  }
}

void ThreadPool::Withdraw(Job* job) noexcept {
  std::unique_lock lock(mutex_);
  std::erase(jobs_, job);
  finished_.wait(lock, [job] { return job->running == 0; });
}

void ThreadPool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    Job* job = nullptr;
    offered_.wait(lock, [&] { return (job = TakeOpening()) != nullptr; });
    --num_waiting_;
    lock.unlock();
    job->run(job->context);
    lock.lock();
    ++num_waiting_;
    if (--job->running == 0) {
      finished_.notify_all();
    }
  }
}

ThreadPool::Job* ThreadPool::TakeOpening() {
  const auto open =
      std::find_if(jobs_.begin(), jobs_.end(), [](const Job* job) { return job->openings > 0; });
  if (open == jobs_.end()) {
    return nullptr;
  }
  --(*open)->openings;
  ++(*open)->running;
  return *open;
}

}  // namespace forebay
