// The kernels over codes: every level against the norm (scalar) bit for bit, and the norm against
// its definition written down a second time here.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "simd/kernels.h"
#include "support/code_blocks.h"
#include "support/guarded_array.h"
#include "support/kernel_inputs.h"
#include "support/kernel_test.h"
#include "support/test_data.h"

namespace forebay::simd {
namespace {

using forebay::testing::AdcDistances;
using forebay::testing::AllLevels;
using forebay::testing::Bits;
using forebay::testing::BlocksOf;
using forebay::testing::CodeRun;
using forebay::testing::EntriesPerByte;
using forebay::testing::RunBound;
using RandomCodes = forebay::testing::CodeBlocks;
using forebay::testing::GuardedArray;
using forebay::testing::Kept;
using forebay::testing::KernelTest;
using forebay::testing::LevelName;
using forebay::testing::RandomBytes;
using forebay::testing::RandomMasks;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::Survivors;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array<std::size_t, 27> kLaneCounts = {
    1,   2,   15,  16,  17,  31,  33,  48,  63,  64,   65,   127,  128, 129,
    255, 256, 257, 511, 512, 513, 575, 576, 577, 1000, 1023, 1025, 1500};

/// Code m of one lane.
unsigned CodeOf(const CodeRun& run, unsigned bits, std::size_t lane, std::size_t m) {
  const std::uint8_t* block = run.codes + lane / 64 * 64 * run.code_len;
  if (bits == 8) {
    return block[m * 64 + lane % 64];
  }
  const unsigned byte = block[m / 2 * 64 + lane % 64];
  return m % 2 == 0 ? byte & 15U : byte >> 4U;
}

float LowerBound(const CodeRun& run, const RunBound& bound, unsigned bits, std::size_t lane) {
  std::uint64_t sum = 0;
  for (std::size_t m = 0; m < run.code_len * 8 / bits; ++m) {
    sum += bound.table[(m << bits) + CodeOf(run, bits, lane, m)];
  }
  const float term = run.terms != nullptr ? run.terms[lane] : 0.0F;
  const auto steps = static_cast<float>(std::min<std::uint64_t>(sum, 65535));
  return std::fma(bound.delta, steps, bound.base + term);
}

Kept SurvivorsByDefinition(const CodeRun& run, const RunBound& bound, unsigned bits,
                           const std::uint64_t* eligible) {
  Kept kept;
  for (std::size_t lane = 0; lane < run.num_lanes; ++lane) {
    const bool candidate = eligible == nullptr || (eligible[lane / 64] >> (lane % 64) & 1U) != 0;
    const float lower = LowerBound(run, bound, bits, lane);
    if (candidate && !(lower > bound.limit)) {
      kept.lanes.push_back(static_cast<std::uint32_t>(lane));
      kept.bounds.push_back(Bits(lower));
    }
  }
  return kept;
}

/// Limits under which no, few, half and all lanes survive, one that is exactly the bound of a lane,
/// and the limits of floats.
std::vector<float> Limits(const CodeRun& run, const RunBound& bound, unsigned bits) {
  std::vector<float> bounds;
  for (std::size_t lane = 0; lane < run.num_lanes; ++lane) {
    bounds.push_back(LowerBound(run, bound, bits, lane));
  }
  std::sort(bounds.begin(), bounds.end());
  const float lowest = bounds.front();
  return {-kInfinity,
          std::nextafter(lowest, -kInfinity),
          lowest,
          bounds[bounds.size() / 20],
          bounds[bounds.size() / 2],
          std::nextafter(bounds[bounds.size() / 2], -kInfinity),
          bounds.back(),
          kInfinity};
}

class ScanKernelsTest : public KernelTest {
 protected:
  /// One run, all limits, with and without masks.
  void ExpectEqual(const CodeRun& run, RunBound bound, unsigned bits, Rng* rng) const {
    for (const float limit : Limits(run, bound, bits)) {
      bound.limit = limit;
      for (const double density : {-1.0, 0.0, 0.02, 0.5, 1.0}) {
        const GuardedArray<std::uint64_t> masks(RandomMasks(run.num_lanes, density, rng));
        const std::uint64_t* eligible = density < 0 ? nullptr : masks.data();
        const auto expected = SurvivorsByDefinition(run, bound, bits, eligible);
        for (const Kernels* kernels : {&scalar(), &level()}) {
          ASSERT_EQ(Survivors(*kernels, run, bound, bits, eligible), expected)
              << kernels->name << ", " << bits << " bits, code_len " << run.code_len << ", "
              << run.num_lanes << " lanes, limit " << limit << ", density " << density;
        }
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Levels, ScanKernelsTest, ::testing::ValuesIn(AllLevels()), LevelName);

TEST_P(ScanKernelsTest, ScansEqualScalarAndTheDefinition) {
  Rng rng(1);
  std::size_t round = 0;
  for (const unsigned bits : {8U, 4U}) {
    for (const std::size_t num_lanes : kLaneCounts) {
      const std::size_t code_len = Sizes{1, 2, 3, 8, 25}.begin()[round++ % 5];
      const RandomCodes blocks(num_lanes, code_len, {.terms = round % 2 == 0}, &rng);
      const GuardedArray<std::uint8_t> table(RandomBytes(code_len * EntriesPerByte(bits), &rng));
      ExpectEqual(blocks.run(), {.table = table.data(), .base = -3.25F, .delta = 0.0078F}, bits,
                  &rng);
    }
  }
}

TEST_P(ScanKernelsTest, ScansReadNothingBeyondTheLanes) {
  Rng rng(2);
  for (const unsigned bits : {8U, 4U}) {
    for (std::size_t num_lanes = 1; num_lanes <= 130; ++num_lanes) {
      for (const std::size_t code_len : Sizes{1, 2, 5}) {
        const RandomCodes blocks(num_lanes, code_len, {.terms = true, .to_the_edge = true}, &rng);
        auto entries = RandomBytes(code_len * EntriesPerByte(bits), &rng);
        const bool halves = rng.Chance(0.5);
        for (auto& entry : entries) {
          entry = halves ? entry & simd::kMaxHalfEntry : entry;
        }
        const GuardedArray<std::uint8_t> table(entries);
        const RunBound bound{table.data(), 1.0F, 0.5F, 20.0F * static_cast<float>(code_len),
                             halves};
        ASSERT_EQ(Survivors(level(), blocks.run(), bound, bits, nullptr),
                  SurvivorsByDefinition(blocks.run(), bound, bits, nullptr))
            << bits << ' ' << num_lanes << ' ' << code_len;
      }
    }
  }
}

TEST_P(ScanKernelsTest, SumsSaturate) {
  Rng rng(3);
  for (const unsigned bits : {8U, 4U}) {
    // 257 x 255 = 65535 is the last sum that does not.
    for (const std::size_t num_sub_vectors : Sizes{256, 258, 260, 300}) {
      const std::size_t code_len = num_sub_vectors * bits / 8;
      const RandomCodes blocks(150, code_len, {.terms = true}, &rng);
      auto entries = RandomBytes(code_len * EntriesPerByte(bits), &rng);
      for (auto& entry : entries) {  // Sums just below and just above it.
        entry = entry < 250 ? 255 : entry;
      }
      const GuardedArray<std::uint8_t> table(entries);
      ExpectEqual(blocks.run(), {.table = table.data(), .base = 0.0F, .delta = 1.0F}, bits, &rng);
    }
  }
}

TEST_P(ScanKernelsTest, EverySumIsExact) {
  Rng rng(4);
  for (const auto& [bits, most] : {std::pair{8U, 255U}, {4U, 255U}, {8U, 127U}, {4U, 127U}}) {
    const RandomCodes blocks(640, 7, {}, &rng);
    auto entries = RandomBytes(7 * EntriesPerByte(bits), &rng);
    for (auto& entry : entries) {  // The greatest, too, so that it shows whether they add up.
      entry = static_cast<std::uint8_t>(rng.Chance(0.3) ? most : entry & most);
    }
    const GuardedArray<std::uint8_t> table(entries);
    RunBound bound{table.data(), 0.0F, 1.0F, 0.0F, most == simd::kMaxHalfEntry};
    for (float limit = 150; limit < 1700; limit += 3) {
      bound.limit = limit;
      ASSERT_EQ(Survivors(level(), blocks.run(), bound, bits, nullptr),
                SurvivorsByDefinition(blocks.run(), bound, bits, nullptr))
          << bits << ' ' << limit;
    }
  }
}

TEST_P(ScanKernelsTest, WhatIsNotANumberSurvives) {
  Rng rng(5);
  for (const unsigned bits : {8U, 4U}) {
    const RandomCodes blocks(100, 3, {.terms = true}, &rng);
    const GuardedArray<std::uint8_t> table(RandomBytes(3 * EntriesPerByte(bits), &rng));
    const RunBound bound{table.data(), 0.0F, 1.0F, std::nanf("")};
    EXPECT_EQ(Survivors(level(), blocks.run(), bound, bits, nullptr).lanes.size(), 100U);
  }
}

/// Runs of codes behind each other, each with its own bound, and what a scan of all must keep.
class MixedRuns {
 public:
  static constexpr std::size_t kCodeLen = 6;
  static constexpr float kDelta = 0.25F;

  MixedRuns(unsigned bits, Rng* rng)
      : bits_(bits), rng_(*rng), table_(RandomBytes(kCodeLen * EntriesPerByte(bits), rng)) {}

  /// Whole blocks, then one of the lanes that are left.
  void Add(std::size_t num_lanes) {
    const RandomCodes& codes = runs_.emplace_back(
        num_lanes, kCodeLen,
        forebay::testing::CodeBlocksOptions{.terms = rng_.Chance(0.5), .to_the_edge = true}, &rng_);
    RunBound bound{table_.data(), rng_.Uniform(-9, 9), kDelta, 0};
    const auto limits = Limits(codes.run(), bound, bits_);
    bound.limit = limits[rng_.Below(limits.size())];
    const auto masks = RandomMasks(num_lanes, 0.7, &rng_);
    const Kept kept = SurvivorsByDefinition(codes.run(), bound, bits_, masks.data());
    for (const std::uint32_t lane : kept.lanes) {
      expected_.lanes.push_back(static_cast<std::uint32_t>(blocks_.size() * kBlockLanes) + lane);
    }
    expected_.bounds.insert(expected_.bounds.end(), kept.bounds.begin(), kept.bounds.end());
    const auto blocks = BlocksOf(codes.run(), bound, masks.data());
    blocks_.insert(blocks_.end(), blocks.begin(), blocks.end());
  }

  [[nodiscard]] const Kept& expected() const { return expected_; }
  [[nodiscard]] Kept Scan(const Kernels& kernels) const {
    const GuardedArray<CodeBlock> blocks(blocks_);
    return forebay::testing::Scan(kernels, {blocks.data(), blocks.size(), kCodeLen},
                                  {table_.data(), kDelta}, bits_);
  }

 private:
  const unsigned bits_;
  Rng& rng_;
  const GuardedArray<std::uint8_t> table_;
  std::deque<RandomCodes> runs_;
  std::vector<CodeBlock> blocks_;
  Kept expected_;
};

TEST_P(ScanKernelsTest, EveryBlockHasItsOwnBound) {
  Rng rng(6);
  for (const unsigned bits : {8U, 4U}) {
    for (std::size_t num_runs = 1; num_runs <= 40; ++num_runs) {
      MixedRuns runs(bits, &rng);
      for (std::size_t i = 0; i < num_runs; ++i) {
        runs.Add(rng.Chance(0.5) ? 64 : 1 + rng.Below(200));
      }
      for (const Kernels* kernels : {&scalar(), &level()}) {
        ASSERT_EQ(runs.Scan(*kernels), runs.expected())
            << kernels->name << ", " << bits << " bits, " << num_runs << " runs";
      }
    }
  }
}

TEST_P(ScanKernelsTest, PartialBlocksStandAnywhere) {
  // A tile ends with the first partial block: all patterns of partial and full blocks that fit into
  // the largest tile and one more.
  constexpr unsigned kNumBlocks = 9;
  Rng rng(7);
  for (const unsigned bits : {8U, 4U}) {
    for (unsigned partial = 0; partial < 1U << kNumBlocks; ++partial) {
      MixedRuns runs(bits, &rng);
      for (unsigned b = 0; b < kNumBlocks; ++b) {
        runs.Add((partial >> b & 1U) != 0 ? 1 + rng.Below(63) : 64);
      }
      ASSERT_EQ(runs.Scan(level()), runs.expected()) << bits << " bits, pattern " << partial;
    }
  }
}

TEST_P(ScanKernelsTest, ManyPartialBlocksInARow) {
  Rng rng(8);
  for (const unsigned bits : {8U, 4U}) {
    for (std::size_t num_blocks = 1; num_blocks <= 34; ++num_blocks) {
      MixedRuns runs(bits, &rng);
      for (std::size_t b = 0; b < num_blocks; ++b) {
        runs.Add(b % 11 == 10 ? 64 : 1 + rng.Below(63));
      }
      ASSERT_EQ(runs.Scan(level()), runs.expected()) << bits << " bits, " << num_blocks;
    }
  }
}

TEST_P(ScanKernelsTest, NoBlocksGiveNothing) {
  const GuardedArray<std::uint8_t> table(std::vector<std::uint8_t>(256));
  for (const unsigned bits : {8U, 4U}) {
    EXPECT_EQ(forebay::testing::Scan(level(), {nullptr, 0, 1}, {table.data(), 1}, bits), Kept());
  }
}

/// Both tables of one shape, and lanes in any order, some twice.
class AdcKernelsTest : public KernelTest {
 protected:
  static std::vector<float> DistancesByDefinition(const CodeRun& run, const float* entries,
                                                  float partition_term, unsigned bits,
                                                  const std::vector<std::uint32_t>& lanes) {
    std::vector<float> distances;
    for (const std::uint32_t lane : lanes) {
      float distance = partition_term + (run.terms != nullptr ? run.terms[lane] : 0.0F);
      for (std::size_t m = 0; m < run.code_len * 8 / bits; ++m) {
        distance += entries[(m << bits) + CodeOf(run, bits, lane, m)];
      }
      distances.push_back(distance);
    }
    return distances;
  }
};
INSTANTIATE_TEST_SUITE_P(Levels, AdcKernelsTest, ::testing::ValuesIn(AllLevels()), LevelName);

TEST_P(AdcKernelsTest, DistancesEqualScalarAndTheDefinition) {
  Rng rng(1);
  for (const unsigned bits : {8U, 4U}) {
    for (const std::size_t code_len : Sizes{1, 2, 12, 25}) {
      for (const std::size_t num_lanes : Sizes{1, 63, 64, 200, 1000}) {
        for (const bool terms : {false, true}) {
          const RandomCodes blocks(num_lanes, code_len, {.terms = terms, .to_the_edge = true},
                                   &rng);
          const GuardedArray<float> entries(forebay::testing::RandomFloats(
              code_len * EntriesPerByte(bits), forebay::testing::Floats::kWild, &rng));
          std::vector<std::uint32_t> lanes;
          for (std::size_t i = 0; i < rng.Below(40); ++i) {
            lanes.push_back(static_cast<std::uint32_t>(rng.Below(num_lanes)));
          }
          lanes.push_back(static_cast<std::uint32_t>(num_lanes - 1));
          const float partition_term = rng.Uniform(-10, 10);
          const auto expected =
              DistancesByDefinition(blocks.run(), entries.data(), partition_term, bits, lanes);
          for (const Kernels* kernels : {&scalar(), &level()}) {
            const auto distances =
                AdcDistances(*kernels, blocks.run(), entries.data(), partition_term, bits, lanes);
            ASSERT_EQ(Bits(distances), Bits(expected))
                << kernels->name << ", " << bits << " bits, code_len " << code_len << ", "
                << num_lanes << " lanes, terms " << terms;
          }
        }
      }
    }
  }
}

TEST_P(AdcKernelsTest, NoLanesGiveNothing) {
  Rng rng(2);
  const RandomCodes blocks(10, 2, {}, &rng);
  const GuardedArray<float> entries(std::vector<float>(512));
  EXPECT_TRUE(AdcDistances(level(), blocks.run(), entries.data(), 0, 8, {}).empty());
}

}  // namespace
}  // namespace forebay::simd
