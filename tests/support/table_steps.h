// Random steps for a table: what RapidCheck draws, and shrinks when a property fails.
//
// Thread safety: plain values.
//
// A step says how its rows, keys or queries are to be made; what they are comes from its seed.
#pragma once

#include <rapidcheck.h>

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <variant>
#include <vector>

#include "support/checked_table.h"

namespace forebay::testing {

struct PutStep {
  std::size_t num_rows = 1;
  std::uint64_t num_keys = 10;  ///< Keys are below it: the fewer, the more rows are replaced.
  std::size_t num_bad = 0;
  bool sliced = false;
  bool reordered = false;
  std::uint64_t seed = 0;
};

struct DeleteStep {
  bool by_key = true;
  std::size_t num_keys = 1;
  std::uint64_t seed = 0;
};

struct TableSearchStep {
  std::size_t num_queries = 1;
  std::size_t k = 10;
  bool everywhere = true;  ///< All partitions, all rows ranked: the answer must be exact.
  bool has_filter = false;
  bool all_columns = false;
  std::size_t num_threads = 1;
  std::uint64_t seed = 0;
};

/// Gets by key, takes by row id, scans and counts by filter.
struct ReadStep {
  std::uint64_t seed = 0;
};

struct TrainStep {
  std::size_t num_partitions = 1;
  unsigned num_bits = 4;
  std::uint64_t seed = 0;
};

struct ReopenStep {
  Reopen how = Reopen::kClosed;
};

enum class SmallStep { kPin, kUnpin, kOpenBeside, kFlush, kMerge };

using TableStep =
    std::variant<PutStep, DeleteStep, TableSearchStep, ReadStep, TrainStep, ReopenStep, SmallStep>;

struct TableCase {
  TableKind kind;
  bool has_model = false;
  OnBadVectors on_bad_vectors = OnBadVectors::kError;
  std::vector<TableStep> steps;
};

rc::Gen<TableCase> TableCases(KeyKind key, ElementKind element);

std::ostream& operator<<(std::ostream& out, const TableCase& table_case);

}  // namespace forebay::testing
