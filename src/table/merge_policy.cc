#include "table/merge_policy.h"

#include <algorithm>

namespace forebay::table {

std::optional<GenerationRange> ChooseMerge(std::span<const GenerationSize> generations,
                                           std::size_t fan_in, std::uint64_t max_bytes) {
  for (std::size_t end = generations.size(); end > 0; --end) {
    const std::uint64_t newest = std::max<std::uint64_t>(generations[end - 1].num_live, 1);
    std::uint64_t num_bytes = 0;
    std::uint64_t num_rows = 0;
    std::size_t first = end;
    while (first > 0 && generations[first - 1].num_live <= 2 * newest &&
           num_bytes + generations[first - 1].num_bytes <= max_bytes &&
           num_rows + generations[first - 1].num_live <= kMaxGenerationRows) {
      --first;
      num_bytes += generations[first].num_bytes;
      num_rows += generations[first].num_live;
    }
    if (end - first >= fan_in) {
      return GenerationRange{first, end - first};
    }
  }
  for (std::size_t i = 0; i < generations.size(); ++i) {
    const GenerationSize& size = generations[i];
    if (size.num_dead > size.num_live && size.num_bytes <= max_bytes) {
      return GenerationRange{i, 1};
    }
  }
  return std::nullopt;
}

}  // namespace forebay::table
