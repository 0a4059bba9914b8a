// forebay_little_memory: fills a table with 32 times what its MemTable may hold, and twice as much
// as this process may have of memory; searches, gets, merges and opens it again.
//
//   forebay_little_memory TABLE MAX_MEMTABLE_BYTES
//
// Exit status: 0: all was right; 3: memory ran out; 1: anything else.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/table_rows.h"

namespace forebay::testing {
namespace {

constexpr TableKind kKind = {.key = KeyKind::kUInt64, .dim = 256};
constexpr std::uint64_t kBatchRows = 1000;
constexpr std::uint64_t kNumBatches = 128;
/// Of memory that may be written, besides what the process has when it begins.
constexpr std::uint64_t kMoreBytes = std::uint64_t{60} << 20U;

void Require(const Status& status) {
  if (status.code() == StatusCode::kOutOfMemory) {
    throw std::bad_alloc();
  }
  if (!status.ok()) {
    throw std::runtime_error(status.ToString());
  }
}

template <typename T>
T Require(Result<T> result) {
  Require(result.status());
  return *std::move(result);
}

void Require(bool truth, const std::string& what) {
  if (!truth) {
    throw std::runtime_error(what);
  }
}

TableRow RowOf(std::uint64_t key) {
  Rng random(key);
  TableRow row = {.key = key, .number = static_cast<std::int64_t>(key)};
  for (std::int32_t i = 0; i < kKind.dim; ++i) {
    row.vector.push_back(static_cast<double>(random.Uniform(-1, 1)));
  }
  return row;
}

/// Those of every eighth batch were there before.
std::uint64_t FirstKey(std::uint64_t batch) {
  return (batch % 8 == 7 ? batch - 5 : batch) * kBatchRows;
}

void Put(std::uint64_t batch, Table* table) {
  std::vector<TableRow> rows;
  for (std::uint64_t i = 0; i < kBatchRows; ++i) {
    rows.push_back(RowOf(FirstKey(batch) + i));
  }
  Require(table->Put(*BatchOf(kKind, rows)));
}

void LimitMemory() {
  std::ifstream status("/proc/self/status");
  std::uint64_t kilobytes = 0;
  for (std::string word; status >> word && word != "VmData:";) {
  }
  status >> kilobytes;
  const rlim_t bytes = kilobytes * 1024 + kMoreBytes;
  const rlimit limit = {bytes, bytes};
  Require(kilobytes > 0 && ::setrlimit(RLIMIT_DATA, &limit) == 0, "no limit");
}

/// By key and by vector.
void CheckRow(const Table& table, std::uint64_t key) {
  const TableRow expected = RowOf(key);
  const std::uint64_t keys[] = {key};
  const auto got = Require(table.Get(*KeyArray(kKind, keys), AllColumns()));
  Require(RowsOf(kKind, *got) == std::vector{expected}, "Get: another row");
  const std::vector<float> query = AsFloats(expected.vector);
  const auto found =
      Require(table.Search({query.data(), 1, query.size()}, {.k = 2, .columns = AllColumns()}));
  Require(RowsOf(kKind, *found.rows).front() == expected, "Search: another row");
}

void CheckAll(const Table& table) {
  const std::uint64_t num_rows = kBatchRows * (kNumBatches - kNumBatches / 8);
  Require(Require(table.Count()) == num_rows, "another number of rows");
  for (std::uint64_t batch = 0; batch < kNumBatches; batch += 13) {
    CheckRow(table, FirstKey(batch) + batch);
  }
}

void Run(const std::string& path, const TableOptions& options) {
  Table table = Require(Table::Create(path, DefinitionOf(kKind), options));
  Put(0, &table);
  CheckRow(table, 1);  // Threads and pools are there now.
  Require(table.Flush());
  LimitMemory();
  for (std::uint64_t batch = 1; batch < kNumBatches; ++batch) {
    Put(batch, &table);
  }
  CheckAll(table);
  Require(table.Merge());
  CheckAll(table);
  Require(table.Close());
  CheckAll(Require(Table::Open(path, options)));
}

}  // namespace
}  // namespace forebay::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: forebay_little_memory TABLE MAX_MEMTABLE_BYTES\n";
    return 2;
  }
  try {
    forebay::testing::Run(argv[1], {.sync = forebay::SyncPolicy::kNone,
                                    .max_memtable_bytes = std::strtoull(argv[2], nullptr, 10),
                                    .merge_fan_in = 4});
  } catch (const std::bad_alloc&) {
    return 3;
  } catch (const std::exception& error) {
    std::cerr << "forebay_little_memory: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
