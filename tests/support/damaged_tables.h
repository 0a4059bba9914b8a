// Tables in memory whose files are damaged, byte by byte.
//
// Thread safety: free functions.
#pragma once

#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "support/results.h"
#include "support/sanitizers.h"
#include "support/shared_directory.h"
#include "support/table_rows.h"
#include "table/table_impl.h"

namespace forebay::testing {

using Bytes = std::vector<std::byte>;
using Files = std::map<std::string, Bytes>;
using DirectoryPtr = std::shared_ptr<FaultyDirectory>;

inline Files FilesOf(const FaultyDirectory& directory) {
  Files files;
  const auto names = Value(directory.List());
  for (const std::string& name : names) {
    files[name] = Value(directory.Read(name));
  }
  return files;
}

inline Bytes Flipped(Bytes bytes, std::size_t at, std::byte mask) {
  bytes[at] ^= mask;
  return bytes;
}

inline Bytes Cut(const Bytes& bytes, std::size_t size) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

/// What opens takes a while under sanitizers, which look for faults of another kind: some will do.
inline bool IsLeftOut(std::size_t at) { return kSanitized && at % 8 != 0; }

inline Result<Table> Open(const DirectoryPtr& directory, const TableOptions& options) {
  return Table::Impl::Open(std::make_unique<SharedDirectory>(directory), options);
}

inline Result<Table> Open(const DirectoryPtr& directory, bool read_only) {
  return Open(directory, TableOptions{.read_only = read_only});
}

/// It does not open, for this file, and stays as it is.
inline void ExpectRefused(const DirectoryPtr& directory, const std::string& name) {
  const Files before = FilesOf(*directory);
  for (const bool read_only : {true, false}) {
    const auto table = Open(directory, read_only);
    ASSERT_FALSE(table.ok());
    const StatusCode code = table.status().code();
    ASSERT_TRUE(code == StatusCode::kCorruption || code == StatusCode::kUnsupported)
        << table.status().ToString();
    ASSERT_THAT(table.status().message(), ::testing::HasSubstr(name));
    ASSERT_EQ(FilesOf(*directory), before);
  }
}

/// Asks everything that can be asked, whatever the answers, and deletes.
inline void UseInAllWays(const TableKind& kind, Table* table) {
  constexpr std::uint64_t kSomeKeys[] = {0, 3, 5, 7, 11, 13, 17, 100};
  const std::vector<float> query(static_cast<std::size_t>(kind.dim), 0.5F);
  const VectorView queries = {query.data(), 1, query.size()};
  const auto text = TableFilter{.kind = TableFilter::Kind::kTextIs, .text = "x1"}.ToArrow();
  const auto columns = AllColumns();
  static_cast<void>(table->Search(queries, {.k = 50, .columns = columns}));
  static_cast<void>(table->Search(queries, {.k = 2, .refine_factor = 1, .filter = &text}));
  const auto reader = table->Scan(nullptr, columns);
  if (reader.ok()) {
    static_cast<void>((*reader)->ToRecordBatches());
  }
  if (kind.key != KeyKind::kNone) {
    const auto keys = KeyArray(kind, kSomeKeys);
    static_cast<void>(table->Get(*keys, columns));
    static_cast<void>(table->Delete(*keys));
  }
  static_cast<void>(table->Delete(text));
}

/// Verify of a table that is open finds every byte that changes meanwhile.
inline void ExpectVerifySeesDamage(const Table& table, FaultyDirectory* directory) {
  ASSERT_THAT(table.Verify(), Succeeds());
  for (const auto& [name, bytes] : FilesOf(*directory)) {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      directory->Overwrite(name, Flipped(bytes, at, std::byte{0x10}));
      ASSERT_FALSE(table.Verify().ok()) << name << ", byte " << at << " of " << bytes.size();
    }
    directory->Overwrite(name, bytes);
  }
  ASSERT_THAT(table.Verify(), Succeeds());
}

}  // namespace forebay::testing
