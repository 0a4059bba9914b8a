#include "base/workers.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
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

/// The threads of a loop in which each waits for all others.
std::set<std::thread::id> ThreadsThatMeet(std::size_t num_threads) {
  std::atomic<std::size_t> waiting{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  Workers(num_threads).ForEach(num_threads, [&](std::size_t) {
    ++waiting;
    while (waiting < num_threads) {
      std::this_thread::yield();
    }
    const std::scoped_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  return threads;
}

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
  const std::size_t num_threads = std::min(std::thread::hardware_concurrency(), 3U);
  EXPECT_EQ(ThreadsThatMeet(num_threads).size(), num_threads);
}

TEST(WorkersTest, ThreadsAreKeptForTheNextLoop) {
  const std::size_t num_threads = std::thread::hardware_concurrency();
  std::set<std::thread::id> threads;
  for (int i = 0; i < 20; ++i) {
    threads.merge(ThreadsThatMeet(num_threads));
  }
  EXPECT_EQ(threads.size(), num_threads);
}

TEST(WorkersTest, LoopsOfSeveralThreadsShareThePool) {
  std::atomic<int> runs{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&] {
        for (int loop = 0; loop < 200; ++loop) {
          Workers(4).ForEach(5, [&](std::size_t) { ++runs; });
        }
      });
    }
  }
  EXPECT_EQ(runs, 8 * 200 * 5);
}

TEST(WorkersTest, NobodyWaitsForThreadsThatAreBusyElsewhere) {
  std::atomic<bool> done{false};
  std::jthread busy([&] {  // Takes all there are.
    Workers(1000).ForEach(1000, [&](std::size_t) {
      while (!done) {
        std::this_thread::yield();
      }
    });
  });
  std::atomic<int> runs{0};
  Workers(4).ForEach(100, [&](std::size_t) { ++runs; });
  EXPECT_EQ(runs, 100);
  done = true;
}

TEST(WorkersTest, LoopsWithinLoops) {
  std::atomic<int> runs{0};
  Workers(4).ForEach(10,
                     [&](std::size_t) { Workers(4).ForEach(10, [&](std::size_t) { ++runs; }); });
  EXPECT_EQ(runs, 100);
}

/// Exits with 0 when all threads there can be work, in the forked child of a process with a pool.
[[noreturn]] void RunInForkedChild() {
  const std::size_t num_threads = std::thread::hardware_concurrency();
  ThreadsThatMeet(num_threads);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    std::_Exit(ThreadsThatMeet(num_threads).size() == num_threads ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

TEST(WorkersTest, AForkedChildHasThreadsOfItsOwn) {
  if (forebay::testing::kSanitized) {
    GTEST_SKIP() << "ThreadSanitizer lets no forked child start threads";
  }
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(RunInForkedChild(), ::testing::ExitedWithCode(0), "");
}

/// Exits with 0 while another thread's loop is running.
[[noreturn]] void ExitWhileBusy() {
  static std::atomic<int> running{0};
  std::thread([] {
    Workers(4).ForEach(1000, [](std::size_t) {
      ++running;
      std::this_thread::sleep_for(std::chrono::seconds(10));
    });
  }).detach();
  while (running == 0) {
    std::this_thread::yield();
  }
  std::exit(0);
}

TEST(WorkersTest, AProcessMayExitWhileThreadsWork) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(ExitWhileBusy(), ::testing::ExitedWithCode(0), "");
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

/// Exits with 0 when all tasks ran though memory has no room for the stack of a thread.
[[noreturn]] void RunWithoutRoomForThreads() {
  constexpr std::size_t kTasks = 5000;
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t bytes = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (1U << 20U);
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
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
  EXPECT_EXIT(RunWithoutRoomForThreads(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace forebay
