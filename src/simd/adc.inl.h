// ADC of chosen lanes, for every level: a chain of dependent additions for each lane, so it is the
// lanes, not the instruction set, that run side by side. Included by the files of the levels, each
// of which compiles its own copy.
#pragma once

#include "simd/kernels.h"

namespace forebay::simd {
namespace {

inline float AdcStart(const CodeBlock& block, std::size_t lane) {
  return block.partition_term + (block.terms != nullptr ? block.terms[lane] : 0.0F);
}

/// Calls add(sub-vector, code) for each sub-vector of one vector, in order.
template <unsigned kBits, typename Add>
inline void ForEachCode(const std::uint8_t* code, std::size_t code_len, const Add& add) {
  for (std::size_t j = 0; j < code_len; ++j) {
    const unsigned byte = code[j * kBlockLanes];
    if constexpr (kBits == 8) {
      add(j, byte);
    } else {
      add(2 * j, byte & 15U);
      add(2 * j + 1, byte >> 4U);
    }
  }
}

template <unsigned kBits>
void Adc(const CodeBlocks& blocks, const float* entries, const std::uint32_t* lanes,
         std::size_t num_lanes, float* out) {
  for (std::size_t i = 0; i < num_lanes; ++i) {
    const CodeBlock& block = blocks.blocks[lanes[i] / kBlockLanes];
    const std::size_t lane = lanes[i] % kBlockLanes;
    float distance = AdcStart(block, lane);
    ForEachCode<kBits>(block.codes + lane, blocks.code_len, [&](std::size_t m, unsigned code) {
      distance += entries[(m << kBits) + code];
    });
    out[i] = distance;
  }
}

}  // namespace
}  // namespace forebay::simd
