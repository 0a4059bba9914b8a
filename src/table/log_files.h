// The logs of a table: all of their records.
//
// Thread safety: free functions; Logs is a plain value.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "forebay/status.h"
#include "storage/directory.h"
#include "table/manifest.h"
#include "wal/wal_writer.h"

namespace arrow {
class Buffer;
}  // namespace arrow

namespace forebay::table {

/// A record, and the buffer that its payload is a part of.
struct LoggedRecord {
  wal::WalRecord record;
  std::shared_ptr<arrow::Buffer> file;
};

struct Logs {
  std::vector<LoggedRecord> records;
  std::uint64_t torn_bytes = 0;
  std::uint64_t num_bytes = 0;  ///< Without torn ones.
  bool all_durable = true;      ///< As the manifest says; else a part was only read.
};

/// The records of the logs that a manifest names, in order. kCorruption when one has lost what was
/// durable, or belongs to another table; kIoError with ENOENT when one is not there.
Result<Logs> ReadLogs(const storage::Directory& directory, const Manifest& manifest);

/// What it means that a file which the newest manifest names is not there (kIoError, ENOENT).
Status MissingFile(const Status& missing);

/// Fingerprints of the models that a manifest names.
std::set<std::uint64_t> NamedModels(const Manifest& manifest);

/// The files that a manifest names.
std::set<std::string> NamedFiles(const Manifest& manifest);

/// Removes the logs and files of generations that `before` names and `after` does not. (Others may
/// be on their way, and models may be theirs.) What cannot be removed is left for the next opening.
void RemoveDroppedFiles(storage::Directory* directory, const Manifest& before,
                        const Manifest& after);

/// Removes all logs, models and files of generations that a manifest does not name. What cannot be
/// removed is left for the next time.
void RemoveUnnamedFiles(storage::Directory* directory, const Manifest& manifest);

}  // namespace forebay::table
