#include "support/kernel_comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "model/screen.h"
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

/// Screened by the level, against the norm's exact scores.
bool ScreenedDiffers(const Kernels& level, const Packed& packed, const Rows& rows) {
  const auto screen = model::ScreenedMatrix::Make(packed.rows(), packed.view());
  if (!screen) {
    return false;
  }
  const std::size_t num_rows = rows.view().num_rows;
  GuardedArray<std::uint32_t> ours(num_rows);
  GuardedArray<std::uint32_t> theirs(num_rows);
  level.nearest_screened(packed.view(), screen->view(), rows.view(), ours.data());
  Scalar().nearest(packed.view(), rows.view(), theirs.data(), nullptr);
  return ours.ToVector() != theirs.ToVector();
}

/// Lanes in any order, some of them twice.
Words RandomLanes(std::size_t num_lanes, Rng* rng) {
  Words lanes(num_lanes == 0 ? 0 : rng->Below(20) + 1);
  for (auto& lane : lanes) {
    lane = static_cast<std::uint32_t>(rng->Below(num_lanes));
  }
  return lanes;
}

/// Entries that are all small, halves, of any size, or so large that their sums saturate.
std::vector<std::uint8_t> RandomTable(std::size_t size, Rng* rng) {
  std::vector<std::uint8_t> table = RandomBytes(size, rng);
  const std::size_t kind = rng->Below(5);
  for (auto& entry : table) {
    entry = kind == 0   ? entry & 3U
            : kind == 1 ? entry & simd::kMaxHalfEntry
            : kind == 2 ? entry | 0xf8U
                        : entry;
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

std::string TableKernelThatDiffers(const Kernels& level, const KernelCase& c) {
  Rng rng(c.seed);
  const GuardedArray<float> values(RandomFloats(c.num_packed * 16, c.floats, &rng));
  std::array<float, 4> limits{};
  level.min_max(values.data(), values.size(), &limits[0], &limits[1]);
  Scalar().min_max(values.data(), values.size(), &limits[2], &limits[3]);
  if (Bits(limits[0]) != Bits(limits[2]) || Bits(limits[1]) != Bits(limits[3])) {
    return "min_max";
  }
  const float most = rng.Chance(0.5) ? 127.0F : 255.0F;
  const float steps = (rng.Chance(0.5) ? 255 : most) / (limits[1] - limits[0]) * 0.99F;
  if (!std::isfinite(steps)) {
    return "";
  }
  GuardedArray<std::uint8_t> ours(values.size());
  GuardedArray<std::uint8_t> theirs(values.size());
  level.quantize(values.data(), values.size(), limits[0], steps, most, ours.data());
  Scalar().quantize(values.data(), values.size(), limits[0], steps, most, theirs.data());
  return ours.ToVector() == theirs.ToVector() ? "" : "quantize";
}

std::string KeyKernelThatDiffers(const Kernels& level, const KernelCase& c) {
  Rng rng(c.seed);
  std::vector<std::uint64_t> keys(rng.Below(c.num_packed + 1));
  std::ranges::generate(keys, [&] { return rng.Next() >> (c.seed % 2 * 60); });
  const std::uint64_t last = keys.empty() ? rng.Next() : keys[rng.Below(keys.size())];
  const bool in_place = rng.Chance(0.5);
  return KeepLeast(level, keys, last, in_place) == KeepLeast(Scalar(), keys, last, in_place)
             ? ""
             : "keep_least";
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const KernelCase& c) {
  return out << "{.dim = " << c.dim << ", .num_packed = " << c.num_packed
             << ", .num_rows = " << c.num_rows << ", .num_bits = " << c.num_bits
             << ", .num_sub_vectors = " << c.num_sub_vectors << ", .num_lanes = " << c.num_lanes
             << ", .terms = " << c.terms << ", .masks = " << c.masks
             << ", .floats = " << static_cast<int>(c.floats) << ", .seed = " << c.seed << "}";
}

std::string BitKernelThatDiffers(const Kernels& level, const KernelCase& c) {
  Rng rng(c.seed);
  const std::uint64_t size = rng.Below(1000);
  GuardedArray<std::uint64_t> words((size + 63) / 64);
  std::ranges::generate(std::span(words.data(), words.size()), [&] { return rng.Next(); });
  std::vector<std::uint32_t> numbers;
  auto next = static_cast<std::uint32_t>(c.seed % 2 == 0 ? 0 : rng.Next());
  const std::uint64_t offset = rng.Below(20) - next;  // A small place, for a large number, too.
  const std::size_t count = rng.Below(65);
  while (numbers.size() < count && next < 0xffffff00U) {
    next += static_cast<std::uint32_t>(rng.Below(40));
    numbers.push_back(next++);
  }
  const GuardedArray<std::uint32_t> guarded(numbers);
  const simd::BitSet bits{words.data(), size, rng.Chance(0.1) ? offset + (1ULL << 32U) : offset};
  return level.test_bits(bits, guarded.data(), numbers.size()) ==
                 Scalar().test_bits(bits, guarded.data(), numbers.size())
             ? ""
             : "test_bits";
}

std::string DenseKernelThatDiffers(const Kernels& level, const KernelCase& c) {
  Rng rng(c.seed);
  const Packed packed(c.num_packed, c.dim, RandomFloats(c.num_packed * c.dim, c.floats, &rng),
                      RandomFloats(c.num_packed, c.floats, &rng));
  const Rows rows(c.num_rows, c.dim, c.dim + rng.Below(3) * 5, c.floats, &rng);
  if (Nearest(level, packed, rows) != Nearest(Scalar(), packed, rows)) {
    return "nearest";
  }
  if (ScreenedDiffers(level, packed, rows)) {
    return "nearest_screened";
  }
  const GuardedArray<float> x(RandomFloats(c.dim, c.floats, &rng));
  const GuardedArray<float> y(RandomFloats(c.dim, c.floats, &rng));
  for (const auto& [name, kernel] : {std::pair{"packed_l2", &Kernels::packed_l2},
                                     std::pair{"packed_dot", &Kernels::packed_dot}}) {
    if (PackedDistances(level.*kernel, packed.view(), rows.view()) !=
        PackedDistances(Scalar().*kernel, packed.view(), rows.view())) {
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
  for (const auto differs : {TableKernelThatDiffers, KeyKernelThatDiffers, BitKernelThatDiffers}) {
    if (const std::string name = differs(level, c); !name.empty()) {
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
  RunBound bound{.table = table.data(), .base = rng.Uniform(-3, 3), .delta = 1};
  bound.halves = std::all_of(table.data(), table.data() + table.size(),
                             [](std::uint8_t entry) { return entry <= simd::kMaxHalfEntry; });
  for (int i = 0; i < 6; ++i) {
    bound.limit = bound.base + LikelySum(table.ToVector(), c.num_sub_vectors, &rng);
    if (Survivors(level, blocks.run(), bound, c.num_bits, eligible) !=
        Survivors(Scalar(), blocks.run(), bound, c.num_bits, eligible)) {
      return c.num_bits == 8 ? "scan_8bit" : "scan_4bit";
    }
  }
  const GuardedArray<float> entries(RandomFloats(c.num_sub_vectors << c.num_bits, c.floats, &rng));
  const float term = rng.Uniform(-10, 10);
  const Words lanes = RandomLanes(c.num_lanes, &rng);
  if (Bits(AdcDistances(level, blocks.run(), entries.data(), term, c.num_bits, lanes)) !=
      Bits(AdcDistances(Scalar(), blocks.run(), entries.data(), term, c.num_bits, lanes))) {
    return c.num_bits == 8 ? "adc_8bit" : "adc_4bit";
  }
  return "";
}

std::string KernelThatDiffers(const Kernels& level, const KernelCase& c) {
  const std::string dense = DenseKernelThatDiffers(level, c);
  return dense.empty() ? CodeKernelThatDiffers(level, c) : dense;
}

}  // namespace forebay::testing
