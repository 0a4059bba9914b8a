// Fuzzes every level of the kernels against the norm, over all shapes: dimension 1 to 2,048, 1 to
// 256 sub-vectors, runs of 0 to 200 lanes. Reads beyond the inputs crash.
//
//   build/asan/tests/forebay_kernels_fuzz [-runs=N] [-max_total_time=SECONDS]
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <iostream>
#include <string>

#include "simd/dispatch.h"
#include "support/kernel_comparison.h"

namespace forebay::testing {
namespace {

KernelCase CaseFrom(FuzzedDataProvider* data) {
  KernelCase c;
  // Short dimensions have kernels of their own, and long ones take long: most are short.
  const bool is_long = data->ConsumeProbability<float>() < 0.1F;
  c.dim = data->ConsumeIntegralInRange<std::size_t>(1, is_long ? 2048 : 140);
  c.num_packed = data->ConsumeIntegralInRange<std::size_t>(1, is_long ? 40 : 300);
  c.num_rows = data->ConsumeIntegralInRange<std::size_t>(1, 30);
  c.num_bits = data->ConsumeBool() ? 8 : 4;
  c.num_sub_vectors = data->ConsumeIntegralInRange<std::size_t>(1, 256);
  c.num_sub_vectors += c.num_bits == 4 ? c.num_sub_vectors % 2 : 0;
  c.num_lanes = data->ConsumeIntegralInRange<std::size_t>(0, 200);
  c.terms = data->ConsumeBool();
  c.masks = data->ConsumeBool();
  c.floats = data->PickValueInArray(kAllFloats);
  c.seed = data->ConsumeIntegral<std::uint64_t>();
  return c;
}

/// Stops the process at a kernel that differs from the norm.
void CheckAllLevels(const KernelCase& c) {
  for (const std::string_view name : simd::LevelNames()) {
    const auto level = simd::KernelsFor(name);
    const std::string differs = level.ok() ? KernelThatDiffers(**level, c) : "";
    if (!differs.empty()) {
      std::cerr << differs << " of level " << name << " differs from the norm: " << c << '\n';
      __builtin_trap();
    }
  }
}

}  // namespace
}  // namespace forebay::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider data(bytes, size);
  forebay::testing::CheckAllLevels(forebay::testing::CaseFrom(&data));
  return 0;
}
