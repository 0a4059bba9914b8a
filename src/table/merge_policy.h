// MergePolicy: which generations are worth merging. Size-tiered: several of about the same size
// become one, so that each row is written anew about as often as the table grows by that factor.
//
// Thread safety: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace forebay::table {

/// Ordinals have 32 bits.
inline constexpr std::uint64_t kMaxGenerationRows = (std::uint64_t{1} << 32U) - 2;

struct GenerationSize {
  std::uint64_t num_live = 0;
  std::uint64_t num_dead = 0;
  std::uint64_t num_bytes = 0;  ///< Of its files.
};

/// Generations that follow each other.
struct GenerationRange {
  std::size_t first = 0;
  std::size_t count = 0;

  friend bool operator==(const GenerationRange&, const GenerationRange&) = default;
};

/// Of generations in the order of their rows, the newest `fan_in` or more that are no more than
/// twice as large as the last of them; else one of which most rows are dead. Nothing that has more
/// than max_bytes or kMaxGenerationRows together. nullopt: none.
std::optional<GenerationRange> ChooseMerge(std::span<const GenerationSize> generations,
                                           std::size_t fan_in, std::uint64_t max_bytes);

}  // namespace forebay::table
