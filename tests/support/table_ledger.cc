#include "support/table_ledger.h"

#include <arrow/compute/expression.h>

namespace forebay::testing {
namespace {

constexpr std::uint64_t kNumKeys = 300;
constexpr std::size_t kMemTableRows = 50;

}  // namespace

LedgerCall::LedgerCall(std::uint64_t call_seed) : seed(call_seed) {
  Rng random(seed);
  const std::size_t draw = random.Below(100);
  if (draw < 65) {
    const std::size_t num_rows = draw == 0 ? kMemTableRows : 1 + random.Below(8);
    for (std::size_t i = 0; i < num_rows; ++i) {
      rows.push_back(RandomRow(LedgerTableKind(), random.Below(kNumKeys), &random));
    }
  } else if (draw < 82) {
    kind = Kind::kDeleteKeys;
    for (std::size_t i = random.Below(5); i > 0; --i) {
      keys.push_back(random.Below(kNumKeys));
    }
  } else if (draw < 92) {
    kind = Kind::kDeleteWhere;
    filter = {.kind = TableFilter::Kind::kNumberBetween,
              .low = static_cast<std::int64_t>(random.Below(100))};
    filter.high = filter.low + 5;
  } else {
    constexpr Kind kKinds[] = {Kind::kTrain,  Kind::kTrain,  Kind::kFlush,  Kind::kMerge,
                               Kind::kReopen, Kind::kReopen, Kind::kReopen, Kind::kReopen};
    kind = kKinds[draw - 92];
  }
}

void LedgerCall::ApplyTo(TableModel* model) const {
  switch (kind) {
    case Kind::kPut:
      model->Put(rows);
      break;
    case Kind::kDeleteKeys:
      model->Delete(keys);
      break;
    case Kind::kDeleteWhere:
      model->Delete(filter);
      break;
    case Kind::kTrain:
    case Kind::kFlush:
    case Kind::kMerge:
    case Kind::kReopen:
      break;
  }
}

TableKind LedgerTableKind() { return {.key = KeyKind::kUtf8, .dim = 8}; }

TableOptions LedgerTableOptions() {
  return {.max_memtable_rows = kMemTableRows, .merge_fan_in = 3};
}

}  // namespace forebay::testing
