// The most that a core can do: what dense kernels are measured against.
//
// Thread safety: pure functions of their arguments.
#pragma once

#include <cstdint>

namespace forebay::bench {

/// Runs `rounds` rounds of independent fused multiply-adds in registers; returns how many
/// floating-point operations that was. With 512 bits at a time if `wide`, else with 256.
std::int64_t RunMultiplyAdds(bool wide, std::int64_t rounds);

}  // namespace forebay::bench
