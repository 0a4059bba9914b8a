#include "table/writer_lock.h"

#include <fmt/format.h>
#include <unistd.h>

#include "table/file_names.h"

namespace forebay::table {

Result<std::unique_ptr<storage::DirectoryLock>> LockForWriting(storage::Directory* directory) {
  char host[256] = "";
  static_cast<void>(::gethostname(host, sizeof(host) - 1));
  return directory->Lock(kLockName, fmt::format("process {} on {}", ::getpid(), host));
}

}  // namespace forebay::table
