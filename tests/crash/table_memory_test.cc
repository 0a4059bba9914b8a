// A table that is larger than the memory its process may have. Files that are mapped do not count:
// they come and go as the system sees fit.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "support/sanitizers.h"
#include "support/temporary_folder.h"

namespace forebay::testing {
namespace {

/// Runs forebay_little_memory; its exit status.
int RunWith(const std::string& max_memtable_bytes) {
  const TemporaryFolder folder;
  const std::string table = folder.path() / "table";
  const pid_t process = ::fork();
  if (process == 0) {
    // Arrow's other pools, and stacks, set memory aside, more than they use.
    ::setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 1);
    const rlimit stack = {1U << 20U, 1U << 20U};
    ::setrlimit(RLIMIT_STACK, &stack);
    ::execl(FOREBAY_LITTLE_MEMORY, FOREBAY_LITTLE_MEMORY, table.c_str(), max_memtable_bytes.c_str(),
            nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(process, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(TableMemoryTest, ATableLargerThanMemoryIsServed) {
  if (!kSanitized) {  // Which need far more memory.
    EXPECT_EQ(RunWith("4000000"), 0);
  }
}

TEST(TableMemoryTest, MemoryIsTooSmallForAllOfIt) {
  if (!kSanitized) {
    EXPECT_EQ(RunWith("1000000000"), 3) << "a MemTable that has room for all of it must not fit";
  }
}

}  // namespace
}  // namespace forebay::testing
