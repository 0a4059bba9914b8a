// The files of a generation in one input of the fuzzer: the length of each of the first three, as
// u32, then their bytes.
//
// Thread safety: free functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "support/faulty_directory.h"
#include "support/table_workload.h"

namespace forebay::testing {

/// Rows, index, keys and mask.
using GenerationParts = std::array<std::vector<std::byte>, 4>;

inline std::vector<std::byte> Join(const GenerationParts& parts) {
  std::vector<std::byte> input((parts.size() - 1) * sizeof(std::uint32_t));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto size = static_cast<std::uint32_t>(parts[i].size());
    if (i + 1 < parts.size()) {
      std::memcpy(input.data() + i * sizeof(size), &size, sizeof(size));
    }
    input.insert(input.end(), parts[i].begin(), parts[i].end());
  }
  return input;
}

/// Of any bytes; what is too short has empty parts at the end.
inline GenerationParts Split(std::span<const std::byte> input) {
  GenerationParts parts;
  std::array<std::uint32_t, 3> sizes = {};
  const std::size_t begin = std::min(input.size(), sizeof(sizes));
  std::memcpy(sizes.data(), input.data(), begin);
  input = input.subspan(begin);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t size =
        i < sizes.size() ? std::min<std::size_t>(sizes[i], input.size()) : input.size();
    parts[i].assign(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
    input = input.subspan(size);
  }
  return parts;
}

/// Of the table whose first generation is replaced.
inline TableWorkloadOptions FuzzedTable() {
  return {
      .kind = {.key = KeyKind::kUtf8, .dim = 2}, .has_model = true, .small = true, .flushed = true};
}

inline std::shared_ptr<FaultyDirectory> MakeFuzzedTable() {
  const TableWorkload workload(FuzzedTable());
  auto directory = std::make_shared<FaultyDirectory>();
  std::optional<Table> table;
  if (workload.Run(directory, &table) != workload.size()) {
    std::abort();
  }
  return directory->AfterCrash(AfterPowerCut::kAll, 0);
}

}  // namespace forebay::testing
