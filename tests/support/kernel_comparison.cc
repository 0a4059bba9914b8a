#include "support/kernel_comparison.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "simd/dispatch.h"
#include "support/code_blocks.h"
#include "support/guarded_array.h"
#include "support/kernel_inputs.h"
#include "support/results.h"

namespace forebay::testing {
namespace {

using simd::Kernels;

const Kernels& Scalar() { return *Value(simd::KernelsFor("scalar")); }

using Words = std::vector<std::uint32_t>;

Words Nearest(const Kernels& kernels, const Packed& packed, const Rows& rows) {
  const std::size_t num_rows = rows.view().num_rows;
  GuardedArray<std::uint32_t> indexes(num_rows);
  GuardedArray<float> scores(num_rows);
  kernels.nearest(packed.view(), rows.view(), indexes.data(), scores.data());
  Words words = indexes.ToVector();
  std::ranges::copy(Bits(scores.ToVector()), std::back_inserter(words));
  return words;
}

Words PackedDistances(decltype(Kernels::packed_l2) kernel, const Packed& packed, const float* x) {
  GuardedArray<float> out(packed.view().num_groups() * simd::kPackLanes);
  kernel(packed.view(), x, out.data());
  return Bits(out.ToVector());
}

Words AdcDistances(const Kernels& kernels, const CodeBlocks& blocks, unsigned num_bits,
                   const simd::AdcTable& table, const Words& lanes) {
  const GuardedArray<std::uint32_t> wanted(lanes);
  GuardedArray<float> out(lanes.size());
  const auto adc = num_bits == 8 ? kernels.adc_8bit : kernels.adc_4bit;
  adc(blocks.run(), table, wanted.data(), lanes.size(), out.data());
  return Bits(out.ToVector());
}

/// Lanes in any order, some of them twice.
Words RandomLanes(std::size_t num_lanes, Rng* rng) {
  Words lanes(num_lanes == 0 ? 0 : rng->Below(20) + 1);
  for (auto& lane : lanes) {
    lane = static_cast<std::uint32_t>(rng->Below(num_lanes));
  }
  return lanes;
}

/// Entries that are all small, of any size, or so large that their sums saturate.
std::vector<std::uint8_t> RandomTable(std::size_t size, Rng* rng) {
  std::vector<std::uint8_t> table = RandomBytes(size, rng);
  const std::size_t kind = rng->Below(4);
  for (auto& entry : table) {
    entry = kind == 0 ? entry & 3U : kind == 1 ? entry | 0xf8U : entry;
  }
  return table;
}

/// About as large as sums of random entries are, so that some lanes survive it and some do not.
float LikelySum(const std::vector<std::uint8_t>& table, std::size_t num_sub_vectors, Rng* rng) {
  double sum = 0;
  double squares = 0;
  for (const double entry : table) {
    sum += entry;
    squares += entry * entry;
  }
  const double mean = sum / static_cast<double>(table.size());
  const double variance = squares / static_cast<double>(table.size()) - mean * mean;
  const auto m = static_cast<double>(num_sub_vectors);
  const auto deviations = static_cast<double>(rng->Uniform(-2, 2));
  return static_cast<float>(
      std::min(65'535.0, std::round(m * mean + deviations * std::sqrt(m * variance))));
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const KernelCase& c) {
  return out << "{.dim = " << c.dim << ", .num_packed = " << c.num_packed
             << ", .num_rows = " << c.num_rows << ", .num_bits = " << c.num_bits
             << ", .num_sub_vectors = " << c.num_sub_vectors << ", .num_lanes = " << c.num_lanes
             << ", .terms = " << c.terms << ", .masks = " << c.masks
             << ", .floats = " << static_cast<int>(c.floats) << ", .seed = " << c.seed << "}";
}

std::string DenseKernelThatDiffers(const Kernels& level, const KernelCase& c) {
  Rng rng(c.seed);
  const Packed packed(c.num_packed, c.dim, RandomFloats(c.num_packed * c.dim, c.floats, &rng),
                      RandomFloats(c.num_packed, c.floats, &rng));
  const Rows rows(c.num_rows, c.dim, c.dim + rng.Below(3) * 5, c.floats, &rng);
  if (Nearest(level, packed, rows) != Nearest(Scalar(), packed, rows)) {
    return "nearest";
  }
  const GuardedArray<float> x(RandomFloats(c.dim, c.floats, &rng));
  const GuardedArray<float> y(RandomFloats(c.dim, c.floats, &rng));
  for (const auto& [name, kernel] : {std::pair{"packed_l2", &Kernels::packed_l2},
                                     std::pair{"packed_dot", &Kernels::packed_dot}}) {
    if (PackedDistances(level.*kernel, packed, x.data()) !=
        PackedDistances(Scalar().*kernel, packed, x.data())) {
      return name;
    }
  }
  for (const auto& [name, kernel] : {std::pair{"l2", &Kernels::l2}, std::pair{"dot", &Kernels::dot},
                                     std::pair{"residual_term", &Kernels::residual_term}}) {
    if (Bits((level.*kernel)(x.data(), y.data(), c.dim)) !=
        Bits((Scalar().*kernel)(x.data(), y.data(), c.dim))) {
      return name;
    }
  }
  return "";
}

std::string CodeKernelThatDiffers(const Kernels& level, const KernelCase& c) {
  Rng rng(c.seed);
  const std::size_t code_len = c.num_sub_vectors * c.num_bits / 8;
  const CodeBlocks blocks(c.num_lanes, code_len, {.terms = c.terms, .to_the_edge = true}, &rng);
  const GuardedArray<std::uint8_t> table(RandomTable(c.num_sub_vectors << c.num_bits, &rng));
  const GuardedArray<std::uint64_t> masks(RandomMasks(c.num_lanes, 0.7, &rng));
  const std::uint64_t* eligible = c.masks ? masks.data() : nullptr;
  simd::ScanBound bound{.table = table.data(), .base = rng.Uniform(-3, 3), .delta = 1};
  for (int i = 0; i < 6; ++i) {
    bound.limit = bound.base + LikelySum(table.ToVector(), c.num_sub_vectors, &rng);
    if (Survivors(level, blocks.run(), bound, c.num_bits, eligible) !=
        Survivors(Scalar(), blocks.run(), bound, c.num_bits, eligible)) {
      return c.num_bits == 8 ? "scan_8bit" : "scan_4bit";
    }
  }
  const GuardedArray<float> entries(RandomFloats(c.num_sub_vectors << c.num_bits, c.floats, &rng));
  const simd::AdcTable adc{entries.data(), rng.Uniform(-10, 10)};
  const Words lanes = RandomLanes(c.num_lanes, &rng);
  if (AdcDistances(level, blocks, c.num_bits, adc, lanes) !=
      AdcDistances(Scalar(), blocks, c.num_bits, adc, lanes)) {
    return c.num_bits == 8 ? "adc_8bit" : "adc_4bit";
  }
  return "";
}

std::string KernelThatDiffers(const Kernels& level, const KernelCase& c) {
  const std::string dense = DenseKernelThatDiffers(level, c);
  return dense.empty() ? CodeKernelThatDiffers(level, c) : dense;
}

}  // namespace forebay::testing
