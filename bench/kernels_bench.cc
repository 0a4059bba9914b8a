// Speed of the kernels, for each level that runs on this CPU. Names are
// kernel/level/shape, so --benchmark_filter=nearest or =/avx2/ picks some of them.
//
// CPUs' clocks and neighbours change from minute to minute: compare figures of one run, best of
// several --benchmark_repetitions with --benchmark_enable_random_interleaving=true.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fma_peak.h"
#include "model/screen.h"
#include "simd/dispatch.h"

namespace forebay::bench {
namespace {

using benchmark::Counter;
using benchmark::State;
using simd::kBlockLanes;
using simd::Kernels;
using simd::kPackLanes;
using Sizes = std::initializer_list<std::size_t>;

std::vector<float> RandomFloats(std::size_t n) {
  std::mt19937 engine(static_cast<unsigned>(n));
  std::vector<float> floats(n);
  for (float& x : floats) {
    x = static_cast<float>(engine() >> 8U) * 0x1p-23F - 1.0F;
  }
  return floats;
}

std::vector<std::uint8_t> RandomBytes(std::size_t n) {
  std::mt19937 engine(static_cast<unsigned>(n));
  std::vector<std::uint8_t> bytes(n);
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(engine() >> 24U);
  }
  return bytes;
}

/// GFLOP/s of multiply-adds that wait for nothing, the best of several rounds.
double FmaPeak(bool wide) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    const auto start = Clock::now();
    const auto operations = static_cast<double>(RunMultiplyAdds(wide, 400'000));
    const std::chrono::duration<double, std::nano> ns = Clock::now() - start;
    best = std::max(best, operations / ns.count());
  }
  return best;
}

double FmaPeakOf(const Kernels& kernels) {
  static const double peak256 = FmaPeak(false);
  static const double peak512 = simd::KernelsFor("avx512bw").ok() ? FmaPeak(true) : 0;
  return std::string(kernels.name).starts_with("avx512") ? peak512 : peak256;
}

/// Random rows in the layout of PackedRows; num_rows is a multiple of kPackLanes.
struct Packed {
  Packed(std::size_t num_rows, std::size_t dim)
      : data(RandomFloats(num_rows * dim)),
        biases(RandomFloats(num_rows)),
        view{data.data(), biases.data(), num_rows, dim} {}

  std::vector<float> data;
  std::vector<float> biases;
  simd::PackedRows view;
};

void CountOperations(State& state, const Kernels& kernels, std::size_t per_iteration) {
  const double total = static_cast<double>(per_iteration) * static_cast<double>(state.iterations());
  state.counters["FLOP/s"] = Counter(total, Counter::kIsRate);
  state.counters["of_peak"] = Counter(total / (FmaPeakOf(kernels) * 1e9), Counter::kIsRate);
}

void Nearest(State& state, const Kernels& kernels, std::size_t dim, std::size_t num_packed,
             std::size_t batch) {
  const Packed packed(num_packed, dim);
  const auto rows = RandomFloats(batch * dim);
  std::vector<std::uint32_t> indexes(batch);
  FmaPeakOf(kernels);  // Measured outside the loop.
  for ([[maybe_unused]] auto iteration : state) {
    kernels.nearest(packed.view, {rows.data(), batch, dim}, indexes.data(), nullptr);
    benchmark::DoNotOptimize(indexes.data());
    benchmark::ClobberMemory();
  }
  CountOperations(state, kernels, 2 * dim * num_packed * batch);
}

void NearestScreened(State& state, const Kernels& kernels, std::size_t dim, std::size_t num_packed,
                     std::size_t batch) {
  const Packed packed(num_packed, dim);
  std::vector<float> by_row(num_packed * dim);
  for (std::size_t i = 0; i < by_row.size(); ++i) {
    by_row[i] =
        packed.data[(i / dim / kPackLanes * dim + i % dim) * kPackLanes + i / dim % kPackLanes];
  }
  const auto screen = model::ScreenedMatrix::Make({by_row.data(), num_packed, dim}, packed.view);
  const auto rows = RandomFloats(batch * dim);
  std::vector<std::uint32_t> indexes(batch);
  FmaPeakOf(kernels);  // Measured outside the loop.
  for ([[maybe_unused]] auto iteration : state) {
    kernels.nearest_screened(packed.view, screen->view(), {rows.data(), batch, dim},
                             indexes.data());
    benchmark::DoNotOptimize(indexes.data());
    benchmark::ClobberMemory();
  }
  CountOperations(state, kernels, 2 * dim * num_packed * batch);
}

void PackedDistances(State& state, const Kernels& kernels, bool l2, std::size_t dim,
                     std::size_t num_packed, std::size_t num_rows) {
  const Packed packed(num_packed, dim);
  const auto x = RandomFloats(num_rows * dim);
  std::vector<float> out(num_rows * num_packed);
  const auto kernel = l2 ? kernels.packed_l2 : kernels.packed_dot;
  for ([[maybe_unused]] auto iteration : state) {
    kernel(packed.view, {x.data(), num_rows, dim}, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(num_rows));
}

/// Pairs as re-ranking meets them: one query, many vectors.
void Pairs(State& state, const Kernels& kernels, bool l2, std::size_t dim) {
  constexpr std::size_t kNumVectors = 256;
  const auto query = RandomFloats(dim);
  const auto vectors = RandomFloats(kNumVectors * dim);
  const auto kernel = l2 ? kernels.l2 : kernels.dot;
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < kNumVectors; ++i) {
      benchmark::DoNotOptimize(kernel(query.data(), vectors.data() + i * dim, dim));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kNumVectors));
}

/// Codes of residuals that fit into the L2 cache, in runs of `lanes` vectors.
class Codes {
 public:
  Codes(unsigned bits, std::size_t num_sub_vectors, std::size_t lanes)
      : code_len_(num_sub_vectors * bits / 8),
        lanes_(lanes),
        blocks_((lanes + kBlockLanes - 1) / kBlockLanes),
        num_runs_(std::max<std::size_t>(1, kBytes / (blocks_ * kBlockLanes * code_len_))),
        codes_(RandomBytes(num_runs_ * blocks_ * kBlockLanes * code_len_)),
        terms_(RandomFloats(num_runs_ * blocks_ * kBlockLanes)) {
    for (std::size_t i = 0; i < num_runs_ * blocks_; ++i) {
      const std::size_t lane = i * kBlockLanes;
      const std::size_t num_lanes = std::min(kBlockLanes, lanes_ - i % blocks_ * kBlockLanes);
      code_blocks_.push_back({.codes = codes_.data() + lane * code_len_,
                              .terms = terms_.data() + lane,
                              .eligible = ~std::uint64_t{0} >> (kBlockLanes - num_lanes),
                              .num_lanes = static_cast<std::uint32_t>(num_lanes),
                              .partition_term = 1,
                              .base = 1});
    }
  }

  [[nodiscard]] std::size_t num_runs() const { return num_runs_; }
  [[nodiscard]] std::size_t num_lanes() const { return num_runs_ * lanes_; }
  /// The blocks of one run.
  [[nodiscard]] simd::CodeBlocks run(std::size_t i) const {
    return {code_blocks_.data() + i * blocks_, blocks_, code_len_};
  }
  void SetLimit(float limit) {
    for (simd::CodeBlock& block : code_blocks_) {
      block.limit = limit;
    }
  }

 private:
  static constexpr std::size_t kBytes = std::size_t{256} << 10U;

  std::size_t code_len_;
  std::size_t lanes_;
  std::size_t blocks_;
  std::size_t num_runs_;
  std::vector<std::uint8_t> codes_;
  std::vector<float> terms_;
  std::vector<simd::CodeBlock> code_blocks_;
};

using ScanKernel = decltype(Kernels::scan_8bit);

/// Room for what a scan of so many lanes may write.
struct Survivors {
  explicit Survivors(std::size_t lanes)
      : numbers(lanes + kBlockLanes + kPackLanes), bounds(numbers.size()) {}

  simd::ScanOutput out() { return {numbers.data(), bounds.data()}; }

  std::vector<std::uint32_t> numbers;
  std::vector<float> bounds;
};

std::size_t ScanAll(ScanKernel scan, const Codes& codes, const simd::BoundTable& table,
                    Survivors* survivors) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < codes.num_runs(); ++i) {
    count += scan(codes.run(i), table, survivors->out());
    benchmark::DoNotOptimize(survivors->numbers.data());
    benchmark::ClobberMemory();
  }
  return count;
}

/// Sets the limit that one lane in a hundred survives.
void KeepOnePercent(ScanKernel scan, const simd::BoundTable& table, Codes* codes,
                    Survivors* survivors) {
  float low = 0;
  float high = 65535;
  for (int step = 0; step < 40; ++step) {
    const float middle = (low + high) / 2;
    codes->SetLimit(middle);
    const bool enough = ScanAll(scan, *codes, table, survivors) * 100 >= codes->num_lanes();
    (enough ? high : low) = middle;
  }
  codes->SetLimit(high);
}

void Scan(State& state, const Kernels& kernels, unsigned bits, std::size_t num_sub_vectors,
          std::size_t lanes, bool halves) {
  Codes codes(bits, num_sub_vectors, lanes);
  auto entries = RandomBytes(num_sub_vectors << bits);
  for (auto& entry : entries) {
    entry = halves ? entry & simd::kMaxHalfEntry : entry;
  }
  const simd::BoundTable table{.entries = entries.data(), .delta = 1, .halves = halves};
  const auto scan = bits == 8 ? kernels.scan_8bit : kernels.scan_4bit;
  Survivors survivors(lanes);
  KeepOnePercent(scan, table, &codes, &survivors);
  for ([[maybe_unused]] auto iteration : state) {
    benchmark::DoNotOptimize(ScanAll(scan, codes, table, &survivors));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(codes.num_lanes()));
}

/// 10 survivors of every 1,024 lanes.
void Adc(State& state, const Kernels& kernels, unsigned bits, std::size_t num_sub_vectors) {
  constexpr std::size_t kSurvivors = 10;
  const Codes codes(bits, num_sub_vectors, 1024);
  const auto entries = RandomFloats(num_sub_vectors << bits);
  const auto adc = bits == 8 ? kernels.adc_8bit : kernels.adc_4bit;
  std::vector<std::uint32_t> lanes(kSurvivors);
  for (std::size_t i = 0; i < kSurvivors; ++i) {
    lanes[i] = static_cast<std::uint32_t>(i * 101 + 7);
  }
  std::vector<float> distances(kSurvivors);
  for ([[maybe_unused]] auto iteration : state) {
    for (std::size_t i = 0; i < codes.num_runs(); ++i) {
      adc(codes.run(i), entries.data(), lanes.data(), kSurvivors, distances.data());
      benchmark::DoNotOptimize(distances.data());
      benchmark::ClobberMemory();
    }
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(codes.num_runs() * kSurvivors));
}

template <typename Body>
void Register(const std::string& name, const Body& body) {
  benchmark::RegisterBenchmark(name.c_str(), body);
}

void RegisterDense(const Kernels& kernels) {
  for (const auto& [dim, num_packed] : {std::pair<std::size_t, std::size_t>{100, 1024},
                                        {128, 256},
                                        {128, 1024},
                                        {4, 256},
                                        {2, 16}}) {
    for (const std::size_t batch : Sizes{1, 3, 8, 64, 1024}) {
      Register(
          fmt::format("nearest/{}/dim:{}/packed:{}/batch:{}", kernels.name, dim, num_packed, batch),
          [&kernels, dim = dim, num_packed = num_packed, batch](State& state) {
            Nearest(state, kernels, dim, num_packed, batch);
          });
    }
    for (const std::size_t batch : Sizes{1, 3, 8, 64, 1024}) {
      Register(fmt::format("nearest_screened/{}/dim:{}/packed:{}/batch:{}", kernels.name, dim,
                           num_packed, batch),
               [&kernels, dim = dim, num_packed = num_packed, batch](State& state) {
                 NearestScreened(state, kernels, dim, num_packed, batch);
               });
    }
    for (const bool l2 : {true, false}) {
      for (const std::size_t num_rows : Sizes{1, 64}) {
        Register(fmt::format("packed_{}/{}/dim:{}/packed:{}/rows:{}", l2 ? "l2" : "dot",
                             kernels.name, dim, num_packed, num_rows),
                 [&kernels, l2, dim = dim, num_packed = num_packed, num_rows](State& state) {
                   PackedDistances(state, kernels, l2, dim, num_packed, num_rows);
                 });
      }
    }
  }
  for (const std::size_t dim : Sizes{100, 128, 768}) {
    for (const bool l2 : {true, false}) {
      Register(fmt::format("{}/{}/dim:{}", l2 ? "l2" : "dot", kernels.name, dim),
               [&kernels, l2, dim](State& state) { Pairs(state, kernels, l2, dim); });
    }
  }
}

void RegisterCodes(const Kernels& kernels, unsigned bits, std::size_t num_sub_vectors) {
  for (const std::size_t lanes : Sizes{1024, 340}) {
    for (const bool halves : {false, true}) {
      Register(fmt::format("scan_{}bit/{}/M:{}/lanes:{}/{}", bits, kernels.name, num_sub_vectors,
                           lanes, halves ? "7-bit" : "8-bit"),
               [&kernels, bits, num_sub_vectors, lanes, halves](State& state) {
                 Scan(state, kernels, bits, num_sub_vectors, lanes, halves);
               });
    }
  }
  Register(fmt::format("adc_{}bit/{}/M:{}", bits, kernels.name, num_sub_vectors),
           [&kernels, bits, num_sub_vectors](State& state) {
             Adc(state, kernels, bits, num_sub_vectors);
           });
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string_view level : simd::LevelNames()) {
    if (const auto kernels = simd::KernelsFor(level); kernels.ok()) {
      RegisterDense(**kernels);
      for (const std::size_t num_sub_vectors : Sizes{16, 25, 32, 64}) {
        RegisterCodes(**kernels, 8, num_sub_vectors);
      }
      for (const std::size_t num_sub_vectors : Sizes{50, 64}) {
        RegisterCodes(**kernels, 4, num_sub_vectors);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace forebay::bench
