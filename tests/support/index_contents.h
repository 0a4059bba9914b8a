// What an index holds, in a form that tests compare.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <vector>

#include "forebay/index.h"

namespace forebay::testing {

/// Where one row is and what it became.
struct StoredRow {
  std::uint32_t partition = 0;
  std::vector<std::uint8_t> code = {};

  friend bool operator==(const StoredRow&, const StoredRow&) = default;
};

inline void PrintTo(const StoredRow& row, std::ostream* out) {
  *out << "partition " << row.partition << ", code";
  for (const std::uint8_t byte : row.code) {
    *out << ' ' << unsigned{byte};
  }
}

/// Every row by its position.
using Contents = std::map<std::uint64_t, StoredRow>;

inline Contents ContentsOf(const IvfPqMemIndex& index) {
  Contents contents;
  const auto code_len = static_cast<std::ptrdiff_t>(index.model().pq().code_len());
  const auto partitions = index.partitions();
  for (std::uint32_t p = 0; p < partitions.size(); ++p) {
    auto code = partitions[p].codes.begin();
    for (const std::uint64_t position : partitions[p].row_positions) {
      contents[position] = {p, {code, code + code_len}};
      code += code_len;
    }
  }
  return contents;
}

/// All positions in the order of their ordinals.
inline std::vector<std::uint64_t> PositionsByOrdinal(const IvfPqMemIndex& index) {
  std::vector<std::uint64_t> positions;
  for (std::uint32_t ordinal = 0; ordinal < index.size(); ++ordinal) {
    positions.push_back(index.row_position(ordinal));
  }
  return positions;
}

inline std::vector<std::uint64_t> PositionsOf(const std::vector<Hit>& hits) {
  std::vector<std::uint64_t> positions;
  for (const Hit& hit : hits) {
    positions.push_back(hit.row_position);
  }
  return positions;
}

}  // namespace forebay::testing
