// Which kernels run: picked once, at the first use, by CPU and environment.
//
// Thread safety: all functions may be called from any thread.
#pragma once

#include <span>
#include <string_view>

#include "forebay/status.h"
#include "simd/kernels.h"

namespace forebay::simd {

/// The levels that this build has, in ascending order: scalar (the norm), avx2, avx512bw,
/// avx512vbmi. Not all of them run on every CPU.
std::span<const std::string_view> LevelNames();

/// The kernels of one level; kUnsupported when this CPU lacks its instructions, kInvalidArgument
/// when there is no such level.
Result<const Kernels*> KernelsFor(std::string_view level);

/// OK when Active() can be called: the CPU has AVX2 and FMA (x86-64-v3), and FOREBAY_SIMD,
/// if it is set, names a level that runs here.
Status CheckActive();

/// The best level of this CPU, or the one that FOREBAY_SIMD names. Needs CheckActive().ok().
const Kernels& Active();

}  // namespace forebay::simd
