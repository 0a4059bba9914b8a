// ADC of chosen lanes, for every level: a chain of dependent additions for each lane, so it is the
// lanes, not the instruction set, that run side by side. Included by the files of the levels, each
// of which compiles its own copy.
#pragma once

#include "simd/kernels.h"
#include "simd/unroll.inl.h"

namespace forebay::simd {
namespace {

inline float AdcStart(const CodeBlock& block, std::size_t lane) {
  return block.partition_term + (block.terms != nullptr ? block.terms[lane] : 0.0F);
}

/// Calls use(entry) for the number of each table entry that the j-th byte of a code stands for, in
/// the order of the sub-vectors.
template <unsigned kBits, typename Use>
inline void ForEachEntry(std::size_t j, unsigned byte, const Use& use) {
  if constexpr (kBits == 8) {
    use(j * 256 + byte);
  } else {
    use(j * 32 + (byte & 15U));
    use(j * 32 + 16 + (byte >> 4U));
  }
}

/// Each lane is a chain of dependent additions, so kLanes of them go side by side.
template <unsigned kBits, std::size_t kLanes>
inline void AdcOf(const CodeBlocks& blocks, const float* entries, const std::uint32_t* lanes,
                  float* out) {  // NOLINT(readability-non-const-parameter): a lambda writes to it
  float distances[kLanes];
  const std::uint8_t* codes[kLanes];
  ForEach<kLanes>([&](auto i) {
    constexpr std::size_t kLane = decltype(i)::kValue;
    const CodeBlock& block = blocks.blocks[lanes[kLane] / kBlockLanes];
    distances[kLane] = AdcStart(block, lanes[kLane] % kBlockLanes);
    codes[kLane] = block.codes + lanes[kLane] % kBlockLanes;
  });
  for (std::size_t j = 0; j < blocks.code_len; ++j) {
    ForEach<kLanes>([&](auto i) {
      constexpr std::size_t kLane = decltype(i)::kValue;
      ForEachEntry<kBits>(j, codes[kLane][j * kBlockLanes],
                          [&](std::size_t entry) { distances[kLane] += entries[entry]; });
    });
  }
  ForEach<kLanes>([&](auto i) { out[decltype(i)::kValue] = distances[decltype(i)::kValue]; });
}

template <unsigned kBits>
void Adc(const CodeBlocks& blocks, const float* entries, const std::uint32_t* lanes,
         std::size_t num_lanes, float* out) {
  constexpr std::size_t kLanes = 4;
  std::size_t i = 0;
  for (; i + kLanes <= num_lanes; i += kLanes) {
    AdcOf<kBits, kLanes>(blocks, entries, lanes + i, out + i);
  }
  for (; i < num_lanes; ++i) {
    AdcOf<kBits, 1>(blocks, entries, lanes + i, out + i);
  }
}

}  // namespace
}  // namespace forebay::simd
