// How the verbs of a table open it.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <initializer_list>

#include "forebay/status.h"
#include "forebay/table.h"

namespace forebay::cli {

/// Adds TABLE, the directory.
void AddTablePath(CLI::App& command, std::filesystem::path& path);
/// Adds --sync.
void AddSyncFlag(CLI::App& command, SyncPolicy& sync);
/// Exactly one of these options must be given; anything else is wrong use, which `what` names.
void RequireOne(CLI::App& command, std::initializer_list<CLI::Option*> options,
                const std::string& what);

/// Read only: it works beside a writer.
Result<Table> OpenForReading(const std::filesystem::path& path);

/// Opens for writing, calls `write`, and closes.
template <typename Write>
Status WithTable(const std::filesystem::path& path, const TableOptions& options,
                 const Write& write) {
  Result<Table> table = Table::Open(path, options);
  if (!table.ok()) {
    return table.status();
  }
  const Status written = write(*table);
  const Status closed = table->Close();
  return written.ok() ? closed : written;
}

}  // namespace forebay::cli
