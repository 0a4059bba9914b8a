// BackgroundThread: runs jobs one after the other.
//
// Thread safety: Run from any thread; Stop, and the destructor, from one.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace forebay::table {

class BackgroundThread {
 public:
  BackgroundThread() : thread_([this](const std::stop_token& stop) { Work(stop); }) {}

  /// After those before it. Throws std::bad_alloc. Jobs throw nothing.
  void Run(std::function<void()> job) {
    {
      const std::scoped_lock lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
  }

  /// No job begins after this; waits for the one that runs.
  void Stop() {
    thread_.request_stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  void Work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return !jobs_.empty(); }) && !stop.stop_requested()) {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> jobs_;
  std::jthread thread_;  // Last: it uses the rest.
};

}  // namespace forebay::table
