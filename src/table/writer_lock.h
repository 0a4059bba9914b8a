// The lock of the one process that may write to a table.
//
// Thread safety: a free function.
#pragma once

#include <memory>

#include "forebay/status.h"
#include "storage/directory.h"

namespace forebay::table {

/// kFailedPrecondition, naming the process that has it, while another one does.
Result<std::unique_ptr<storage::DirectoryLock>> LockForWriting(storage::Directory* directory);

}  // namespace forebay::table
