// forebay_ledger_writer: writes to a table until it is killed, and says on standard output what it
// begins and what was acknowledged. table_kill_test.cc reads that and kills it.
//
//   forebay_ledger_writer TABLE SEED
#include <arrow/array/array_base.h>
#include <arrow/compute/expression.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "support/table_ledger.h"

namespace forebay::testing {
namespace {

/// Whether the other end is there still.
bool Say(std::uint64_t seed, LedgerPhase phase) {
  const LedgerEntry entry = {seed, phase};
  return ::write(STDOUT_FILENO, &entry, sizeof(entry)) == sizeof(entry);
}

Status Do(const LedgerCall& call, const std::string& path, std::optional<Table>* table) {
  using Kind = LedgerCall::Kind;
  switch (call.kind) {
    case Kind::kPut:
      return (*table)->Put(*BatchOf(LedgerTableKind(), call.rows)).status();
    case Kind::kDeleteKeys:
      return (*table)->Delete(*KeyArray(LedgerTableKind(), call.keys)).status();
    case Kind::kDeleteWhere:
      return (*table)->Delete(call.filter.ToArrow()).status();
    case Kind::kTrain: {
      Status trained = (*table)->Train({.num_partitions = 4,
                                        .num_sub_vectors = 4,
                                        .num_bits = 4,
                                        .max_iters = 2,
                                        .pq_max_iters = 2,
                                        .seed = call.seed});
      const bool too_few = trained.code() == StatusCode::kInvalidArgument;
      return too_few ? Status::Ok() : trained;
    }
    case Kind::kFlush:
      return (*table)->Flush();
    case Kind::kMerge:
      return (*table)->Merge();
    case Kind::kReopen:
      break;
  }
  table->reset();
  auto opened = Table::Open(path, LedgerTableOptions());
  if (opened.ok()) {
    table->emplace(*std::move(opened));
  }
  return opened.status();
}

Status WriteUntilKilled(const std::string& path, std::uint64_t seed) {
  Rng random(seed);
  auto opened = Table::Open(path, LedgerTableOptions());
  if (!opened.ok()) {
    return opened.status();
  }
  std::optional<Table> table(*std::move(opened));
  for (;;) {
    const LedgerCall call(random.Next());
    if (!Say(call.seed, LedgerPhase::kBegun)) {
      return Status::IoError("nobody reads the ledger");
    }
    if (Status done = Do(call, path, &table); !done.ok()) {
      return done;
    }
    if (!Say(call.seed, LedgerPhase::kAcknowledged)) {
      return Status::IoError("nobody reads the ledger");
    }
  }
}

}  // namespace
}  // namespace forebay::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: forebay_ledger_writer TABLE SEED\n";
    return 2;
  }
  const auto status =
      forebay::testing::WriteUntilKilled(argv[1], std::strtoull(argv[2], nullptr, 10));
  std::cerr << "forebay_ledger_writer: " << status.ToString() << '\n';
  return 1;
}
