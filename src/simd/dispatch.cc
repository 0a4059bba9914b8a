#include "simd/dispatch.h"

#include <array>
#include <cassert>
#include <cstdlib>
#include <ranges>
#include <string>

namespace forebay::simd {

extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512bwKernels;
extern const Kernels kAvx512vbmiKernels;

namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"scalar", "avx2", "avx512bw",
                                                         "avx512vbmi"};

bool CpuHasX8664V3() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

bool CpuHasAvx512bw() {
  return CpuHasX8664V3() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}

bool CpuHasAvx512vbmi() { return CpuHasAvx512bw() && __builtin_cpu_supports("avx512vbmi") != 0; }

std::string AllLevelNames() {
  std::string names;
  for (const std::string_view name : kLevelNames) {
    names += names.empty() ? "" : ", ";
    names += name;
  }
  return names;
}

Result<const Kernels*> Pick() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): read once, and nothing here sets it.
  const char* forced = std::getenv("FOREBAY_SIMD");
  if (forced != nullptr && *forced != '\0') {
    auto kernels = KernelsFor(forced);
    if (!kernels.ok()) {
      const Status& why = kernels.error();
      return Status(why.code(), "FOREBAY_SIMD: " + why.message());
    }
    return kernels;
  }
  for (const std::string_view name : std::views::reverse(kLevelNames)) {
    if (auto kernels = KernelsFor(name); kernels.ok()) {
      return kernels;
    }
  }
  return KernelsFor(kLevelNames.front()).error();
}

const Result<const Kernels*>& Picked() {
  static const Result<const Kernels*> picked = Pick();
  return picked;
}

}  // namespace

std::span<const std::string_view> LevelNames() { return kLevelNames; }

Result<const Kernels*> KernelsFor(std::string_view level) {
  if (level == "scalar" || level == "avx2") {
    if (!CpuHasX8664V3()) {
      return Status::Unsupported(
          "this CPU has no AVX2 and FMA; Forebay needs an x86-64-v3 CPU (2013 or later)");
    }
    return level == "scalar" ? &kScalarKernels : &kAvx2Kernels;
  }
  if (level == "avx512bw") {
    if (!CpuHasAvx512bw()) {
      return Status::Unsupported("level avx512bw needs AVX-512 F, BW, DQ and VL; this CPU has not");
    }
    return &kAvx512bwKernels;
  }
  if (level == "avx512vbmi") {
    if (!CpuHasAvx512vbmi()) {
      return Status::Unsupported(
          "level avx512vbmi needs AVX-512 F, BW, DQ, VL and VBMI; this CPU has not");
    }
    return &kAvx512vbmiKernels;
  }
  return Status::InvalidArgument("no kernel level '" + std::string(level) + "'; this build has " +
                                 AllLevelNames());
}

Status CheckActive() { return Picked().status(); }

const Kernels& Active() {
  assert(CheckActive().ok());
  return **Picked();
}

}  // namespace forebay::simd
