// ADC of chosen lanes, for every level: a chain of dependent additions for each lane, so it is the
// lanes, not the instruction set, that run side by side. Included by the files of the levels, each
// of which compiles its own copy.
#pragma once

#include "simd/kernels.h"

namespace forebay::simd {
namespace {

inline float AdcStart(const CodeRun& run, const AdcTable& table, std::size_t lane) {
  return table.partition_term + (run.terms != nullptr ? run.terms[lane] : 0.0F);
}

inline const std::uint8_t* LaneCodes(const CodeRun& run, std::size_t lane) {
  return run.codes + lane / kBlockLanes * kBlockLanes * run.code_len + lane % kBlockLanes;
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
void Adc(const CodeRun& run, const AdcTable& table, const std::uint32_t* lanes,
         std::size_t num_lanes, float* out) {
  for (std::size_t i = 0; i < num_lanes; ++i) {
    float distance = AdcStart(run, table, lanes[i]);
    ForEachCode<kBits>(LaneCodes(run, lanes[i]), run.code_len, [&](std::size_t m, unsigned code) {
      distance += table.entries[(m << kBits) + code];
    });
    out[i] = distance;
  }
}

}  // namespace
}  // namespace forebay::simd
