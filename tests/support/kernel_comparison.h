// A level of the kernels against the norm (scalar), bit for bit.
//
// Thread safety: pure functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "simd/kernels.h"
#include "support/kernel_test.h"

namespace forebay::testing {

/// The shapes of one call of every kernel; all else is random. A run of codes may have no lanes,
/// and 4-bit codes need an even number of sub-vectors.
struct KernelCase {
  std::size_t dim = 1;
  std::size_t num_packed = 1;
  std::size_t num_rows = 1;
  unsigned num_bits = 8;
  std::size_t num_sub_vectors = 1;
  std::size_t num_lanes = 0;
  bool terms = false;
  bool masks = false;
  Floats floats = Floats::kSmooth;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const KernelCase& c);

/// The first kernel whose results differ from the norm's, in a case with whatever the seed makes
/// of it; empty if there is none. Reads beyond the inputs crash.
std::string KernelThatDiffers(const simd::Kernels& level, const KernelCase& c);

/// The same for the kernels over floats, and for those over codes.
std::string DenseKernelThatDiffers(const simd::Kernels& level, const KernelCase& c);
std::string CodeKernelThatDiffers(const simd::Kernels& level, const KernelCase& c);

}  // namespace forebay::testing
