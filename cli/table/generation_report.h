// What there is to say about a table's generations, for people and for machines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "forebay/table.h"

namespace forebay::cli {

/// Of all generations together.
struct GenerationTotals {
  std::size_t count = 0;
  std::uint64_t num_rows = 0;  ///< Live ones.
  std::uint64_t num_dead = 0;
  std::uint64_t num_bytes = 0;
};
GenerationTotals TotalsOf(const TableStats& stats);

/// What a call on a table changed.
struct TableChange {
  TableStats before;
  TableStats after;
  double seconds = 0;
};
Result<TableChange> Observe(const Table& table, const std::function<Status()>& call);

nlohmann::ordered_json GenerationJson(const GenerationStats& generation);
/// One line, without the number.
std::string GenerationText(const GenerationStats& generation);

}  // namespace forebay::cli
