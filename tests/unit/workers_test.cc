#include "base/workers.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/sanitizers.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::Sizes;

TEST(WorkersTest, EveryTaskRunsOnce) {
  for (const std::size_t num_threads : Sizes{0, 1, 2, 3, 8}) {
    Workers workers(num_threads);
    for (const std::size_t num_tasks : Sizes{0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> runs(num_tasks);
      workers.ForEach(num_tasks, [&](std::size_t task) { ++runs.at(task); });
      for (const auto& count : runs) {
        ASSERT_EQ(count, 1) << num_threads << " threads, " << num_tasks << " tasks";
      }
    }
  }
}

TEST(WorkersTest, OneThreadIsTheCallersOwn) {
  Workers workers(1);
  workers.ForEach(3, [caller = std::this_thread::get_id()](std::size_t) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST(WorkersTest, SeveralThreadsRunAtOnce) {
  Workers workers(3);
  std::atomic<int> waiting{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  workers.ForEach(3, [&](std::size_t) {  // Each waits for the two others.
    ++waiting;
    while (waiting < 3) {
      std::this_thread::yield();
    }
    const std::scoped_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads.size(), 3U);
}

TEST(WorkersTest, RangesCoverAllItems) {
  Workers workers(2);
  for (const std::size_t num_items : Sizes{0, 1, 9, 10, 11, 95}) {
    std::vector<std::atomic<int>> seen(num_items);
    workers.ForRanges(num_items, 10, [&](std::size_t begin, std::size_t end) {
      EXPECT_EQ(begin % 10, 0U);
      EXPECT_LE(end - begin, 10U);
      for (std::size_t i = begin; i < end; ++i) {
        ++seen.at(i);
      }
    });
    for (const auto& count : seen) {
      ASSERT_EQ(count, 1);
    }
  }
}

TEST(WorkersTest, AnExceptionComesBackWhenNothingRunsAnyMore) {
  for (const std::size_t num_threads : Sizes{1, 2, 4}) {
    Workers workers(num_threads);
    std::atomic<int> running{0};
    std::atomic<int> finished{0};
    try {
      workers.ForEach(100, [&](std::size_t task) {
        ++running;
        if (task == 5) {
          --running;
          throw std::runtime_error("task 5");
        }
        std::this_thread::yield();
        --running;
        ++finished;
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), std::string("task 5"));
    }
    EXPECT_EQ(running, 0);
    EXPECT_GE(finished, 5);
    EXPECT_LT(finished, 100);
  }
}

TEST(WorkersTest, ManyExceptionsGiveOne) {
  Workers workers(4);
  EXPECT_THROW(workers.ForEach(50, [](std::size_t) { throw std::runtime_error("no"); }),
               std::runtime_error);
  std::atomic<int> runs{0};
  workers.ForEach(10, [&](std::size_t) { ++runs; });  // And it works on.
  EXPECT_EQ(runs, 10);
}

/// Exits with 0 when all tasks ran though memory has no room for the stacks of so many threads.
[[noreturn]] void RunWithTooManyThreads() {
  constexpr std::size_t kTasks = 5000;
  const rlimit limit{.rlim_cur = 200U << 20U, .rlim_max = 200U << 20U};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) {
    std::exit(1);
  }
  std::atomic<std::size_t> runs{0};
  Workers(kTasks).ForEach(kTasks, [&](std::size_t) {
    ++runs;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  });
  std::exit(runs == kTasks ? 0 : 2);
}

TEST(WorkersTest, ThreadsThatCannotBeStartedAreDoneWithout) {
  if (forebay::testing::kSanitized) {
    GTEST_SKIP() << "sanitizers need more memory than the test leaves";
  }
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(RunWithTooManyThreads(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace forebay
