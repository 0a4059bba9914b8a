// CommitQueue: writers that come at the same time are committed together, in the order in which
// they came. The first of those that wait leads: it commits for the others, who sleep until it is
// done. (LevelDB's writer queue.)
//
// Thread safety: any number of threads may call Commit. Groups are committed one after the other.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <utility>

namespace forebay::table {

template <typename Write>
class CommitQueue {
 public:
  /// Whether `next` may be committed with `group`, which is not empty.
  using Fits = std::function<bool(std::span<Write* const> group, const Write& next)>;
  /// Commits a group; what became of each write is written into it. Throws nothing.
  using CommitGroup = std::function<void(std::span<Write* const> group)>;

  CommitQueue(Fits fits, CommitGroup commit) : fits_(std::move(fits)), commit_(std::move(commit)) {}

  /// Returns when the write was committed, by this thread or another one.
  void Commit(Write* write) {
    Waiter self = {write, false};
    std::unique_lock lock(mutex_);
    waiters_.push_back(&self);
    changed_.wait(lock, [&] { return self.done || waiters_.front() == &self; });
    if (self.done) {
      return;
    }
    std::array<Write*, kMaxTogether> group;  // No allocation that could fail with others waiting.
    std::size_t size = 0;
    for (const Waiter* waiter : waiters_) {
      if (size == group.size() || (size > 0 && !fits_({group.data(), size}, *waiter->write))) {
        break;
      }
      group[size++] = waiter->write;
    }
    lock.unlock();
    commit_({group.data(), size});
    lock.lock();
    for (std::size_t i = 0; i < size; ++i) {
      waiters_.front()->done = true;
      waiters_.pop_front();
    }
    changed_.notify_all();
  }

 private:
  static constexpr std::size_t kMaxTogether = 128;

  struct Waiter {
    Write* write;
    bool done;
  };

  const Fits fits_;
  const CommitGroup commit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiter*> waiters_;  // The first one leads.
};

}  // namespace forebay::table
