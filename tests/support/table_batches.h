// Batches of several writers, each with its own keys, for tests of threads on a table.
//
// Thread safety: free functions; a table is the caller's.
#pragma once

#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "support/shared_directory.h"
#include "support/table_model.h"
#include "table/table_impl.h"

namespace forebay::testing {

inline constexpr std::size_t kBatchRows = 20;
inline constexpr std::size_t kNumWriters = 3;
inline constexpr TableKind kKind = {.key = KeyKind::kInt64, .dim = 4};

/// A batch of a writer: all of its keys, and in each row the number of the batch.
inline std::vector<TableRow> RowsOfBatch(std::size_t writer, std::int64_t number) {
  Rng random(writer * 1'000'000 + static_cast<std::uint64_t>(number));
  std::vector<TableRow> rows;
  for (std::size_t i = 0; i < kBatchRows; ++i) {
    rows.push_back(RandomRow(kKind, writer * kBatchRows + i, &random));
    rows.back().number = number;
  }
  return rows;
}

inline std::shared_ptr<arrow::RecordBatch> BatchOfWriter(std::size_t writer, std::int64_t number) {
  return BatchOf(kKind, RowsOfBatch(writer, number));
}

inline Table Make(const std::shared_ptr<storage::Directory>& directory,
                  const TableOptions& options = {}) {
  auto made = Table::Impl::Create(std::make_unique<SharedDirectory>(directory), DefinitionOf(kKind),
                                  options);
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return *std::move(made);
}

inline Table Reopen(const std::shared_ptr<storage::Directory>& directory) {
  auto opened = Table::Impl::Open(std::make_unique<SharedDirectory>(directory), {});
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return *std::move(opened);
}

inline StoredRows Contents(const Table& table) {
  const auto reader = table.Scan(nullptr, AllColumns());
  return reader.ok() ? ReadAll(kKind, reader->get()) : StoredRows();
}

}  // namespace forebay::testing
