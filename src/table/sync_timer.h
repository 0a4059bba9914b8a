// SyncTimer: calls something every so often, from a thread of its own.
//
// Thread safety: Stop may be called from any thread; the destructor waits for a call that runs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace forebay::table {

class SyncTimer {
 public:
  SyncTimer(std::chrono::milliseconds interval, std::function<void()> body)
      : thread_([interval, body = std::move(body)](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any stopped;
          std::unique_lock lock(mutex);
          // False: the time is over, and nobody asked to stop.
          while (!stopped.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
            body();
          }
        }) {}

  /// No call begins after this.
  void Stop() { thread_.request_stop(); }

 private:
  std::jthread thread_;
};

}  // namespace forebay::table
