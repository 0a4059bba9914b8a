// The table against its oracle: random steps on both, for every kind of key and of vector.
#include "support/checked_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "simd/dispatch.h"
#include "support/property.h"
#include "support/table_steps.h"

namespace forebay::testing {
namespace {

constexpr std::uint64_t kNumKeys = 1000;  // Of all steps.

TableFilter SomeFilter(Rng* random) {
  using Kind = TableFilter::Kind;
  const Kind kinds[] = {Kind::kEverything,    Kind::kNothing, Kind::kNumberBetween,
                        Kind::kNumberBetween, Kind::kTextIs,  Kind::kTextIsMissing};
  const auto low = static_cast<std::int64_t>(random->Below(100));
  return {.kind = kinds[random->Below(std::size(kinds))],
          .low = low,
          .high = low + static_cast<std::int64_t>(random->Below(40)),
          .text = "x" + std::to_string(random->Below(5))};
}

std::optional<IvfPqModel> ModelOf(const TableCase& table_case) {
  const TableKind& kind = table_case.kind;
  return table_case.has_model
             ? std::optional(RandomModel({.metric = kind.metric,
                                          .residual = kind.metric != Metric::kDot,
                                          .num_partitions = 5,
                                          .dim = static_cast<std::size_t>(kind.dim),
                                          .num_sub_vectors = 2}))
             : std::nullopt;
}

/// A checked table and how to take a step.
class TableRun {
 public:
  explicit TableRun(const TableCase& table_case)
      : table_(table_case.kind, ModelOf(table_case), table_case.on_bad_vectors) {}

  void Do(const PutStep& step) {
    Rng random(step.seed);
    CheckedPut put = {.sliced = step.sliced, .reordered = step.reordered};
    for (std::size_t i = 0; i < step.num_rows; ++i) {
      put.rows.push_back(RandomRow(table_.kind(), random.Below(step.num_keys), &random));
    }
    for (std::size_t i = 0; i < std::min(step.num_bad, step.num_rows); ++i) {
      put.bad.push_back(random.Below(step.num_rows));
    }
    std::sort(put.bad.begin(), put.bad.end());
    put.bad.erase(std::unique(put.bad.begin(), put.bad.end()), put.bad.end());
    table_.Put(put);
  }

  void Do(const DeleteStep& step) {
    Rng random(step.seed);
    if (step.by_key) {
      table_.Delete(SomeKeys(step.num_keys, &random));
    } else {
      table_.Delete(SomeFilter(&random));
    }
  }

  void Do(const TableSearchStep& step) {
    Rng random(step.seed);
    CheckedSearch search = {.filter = SomeFilter(&random),
                            .has_filter = step.has_filter,
                            .all_columns = step.all_columns};
    for (std::size_t i = 0; i < step.num_queries; ++i) {
      search.queries.push_back(SomeQuery(&random));
    }
    search.options = {.k = step.k,
                      .nprobes = step.everywhere ? 100'000 : 1 + random.Below(3),
                      .refine_factor = step.everywhere ? 100'000 : 1 + random.Below(3),
                      .num_threads = step.num_threads};
    table_.Search(search);
  }

  void Do(const ReadStep& step) {
    Rng random(step.seed);
    table_.Get(SomeKeys(random.Below(30), &random));
    std::vector<std::uint64_t> row_ids;
    for (std::size_t i = random.Below(30); i > 0; --i) {
      row_ids.push_back(random.Below(table_.model().next_row_id() + 2));
    }
    table_.Take(row_ids);
    table_.ScanAndCount(SomeFilter(&random));
  }

  void Do(const TrainStep& step) {
    table_.Train({.num_partitions = step.num_partitions,
                  .num_sub_vectors = 2,
                  .num_bits = step.num_bits,
                  .max_iters = 2,
                  .pq_max_iters = 2,
                  .seed = step.seed});
  }

  void Do(const ReopenStep& step) { table_.Reopen(step.how); }

  void Do(SmallStep step) {
    switch (step) {
      case SmallStep::kPin:
        return table_.Pin();
      case SmallStep::kUnpin:
        return table_.Unpin();
      case SmallStep::kOpenBeside:
        return table_.OpenBeside();
      case SmallStep::kFlush:
        return table_.Flush();
      case SmallStep::kMerge:
        return table_.Merge();
    }
  }

  void Finish() {
    table_.Unpin();
    table_.CheckAll();
    table_.Reopen(Reopen::kPowerCut);
    table_.CheckAll();
  }

 private:
  std::vector<std::uint64_t> SomeKeys(std::size_t count, Rng* random) const {
    std::vector<std::uint64_t> keys;
    for (std::size_t i = 0; i < count; ++i) {
      keys.push_back(random->Below(random->Chance(0.5) ? 10 : kNumKeys));
    }
    return keys;
  }

  /// A stored vector, or another one.
  std::vector<float> SomeQuery(Rng* random) const {
    const StoredRows& rows = table_.model().rows();
    if (!rows.empty() && random->Chance(0.5)) {
      const auto from = rows.lower_bound(random->Below(table_.model().next_row_id()));
      return AsFloats((from == rows.end() ? rows.begin() : from)->second.vector);
    }
    return AsFloats(RandomRow(table_.kind(), 0, random).vector);
  }

  CheckedTable table_;
};

class CheckedTableTest : public ::testing::TestWithParam<std::tuple<KeyKind, ElementKind>> {
  void SetUp() override {
    if (const Status level = simd::CheckActive(); level.code() == StatusCode::kUnsupported) {
      GTEST_SKIP() << level.message();
    }
  }
};

TEST_P(CheckedTableTest, EqualsTheOracle) {
  const auto [key, element] = GetParam();
  CheckProperty(25, [key = key, element = element] {
    const TableCase table_case = *TableCases(key, element);
    TableRun run(table_case);
    for (const TableStep& step : table_case.steps) {
      std::visit([&run](const auto& s) { run.Do(s); }, step);
    }
    run.Finish();
  });
}

std::string NameOf(const ::testing::TestParamInfo<std::tuple<KeyKind, ElementKind>>& tested) {
  static const char* const kKeys[] = {"NoKey", "Int64", "UInt64", "Utf8"};
  static const char* const kElements[] = {"Float16", "Float32", "Float64"};
  const auto [key, element] = tested.param;
  return std::string(kKeys[static_cast<int>(key)]) + kElements[static_cast<int>(element)];
}

INSTANTIATE_TEST_SUITE_P(AllKinds, CheckedTableTest,
                         ::testing::Combine(::testing::Values(KeyKind::kNone, KeyKind::kInt64,
                                                              KeyKind::kUInt64, KeyKind::kUtf8),
                                            ::testing::Values(ElementKind::kFloat16,
                                                              ElementKind::kFloat32,
                                                              ElementKind::kFloat64)),
                         NameOf);

}  // namespace
}  // namespace forebay::testing
