// CodeBlocks: a run of random codes for the kernels, with everything behind its lanes off limits.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "simd/kernels.h"
#include "support/guarded_array.h"
#include "support/sanitizers.h"
#include "support/test_data.h"

#if FOREBAY_TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace forebay::testing {

/// Consecutive blocks: [block][code byte][64 lanes]. The last one may be partial.
struct CodeRun {
  const std::uint8_t* codes = nullptr;
  const float* terms = nullptr;  ///< [block][64], or nullptr.
  std::size_t code_len = 0;
  std::size_t num_lanes = 0;
};

/// One bound for a whole run.
struct RunBound {
  const std::uint8_t* table = nullptr;
  float base = 0;
  float delta = 0;
  float limit = 0;
  bool halves = false;

  [[nodiscard]] simd::BoundTable bound_table() const { return {table, delta, halves}; }
};

/// The run as the kernels take it. `eligible` has a mask for each block, or is nullptr: all lanes.
inline std::vector<simd::CodeBlock> BlocksOf(const CodeRun& run, const RunBound& bound,
                                             const std::uint64_t* eligible) {
  std::vector<simd::CodeBlock> blocks;
  for (std::size_t lane = 0; lane < run.num_lanes; lane += simd::kBlockLanes) {
    const std::size_t left = run.num_lanes - lane;
    const std::size_t num_lanes = left < simd::kBlockLanes ? left : simd::kBlockLanes;
    const std::uint64_t present = ~std::uint64_t{0} >> (simd::kBlockLanes - num_lanes);
    blocks.push_back({.codes = run.codes + lane * run.code_len,
                      .terms = run.terms != nullptr ? run.terms + lane : nullptr,
                      .eligible = eligible != nullptr ? eligible[blocks.size()] & present : present,
                      .num_lanes = static_cast<std::uint32_t>(num_lanes),
                      .base = bound.base,
                      .limit = bound.limit});
  }
  return blocks;
}

struct CodeBlocksOptions {
  bool terms = false;
  /// The last lane's last byte and term end where the memory does. The start is not aligned then.
  bool to_the_edge = false;
};

class CodeBlocks {
 public:
  CodeBlocks(std::size_t num_lanes, std::size_t code_len, const CodeBlocksOptions& options,
             Rng* rng)
      : num_lanes_(num_lanes),
        code_len_(code_len),
        codes_(NumBlocks() * code_len * simd::kBlockLanes -
               (options.to_the_edge ? NumAbsent() : 0)) {
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      codes_.data()[i] = static_cast<std::uint8_t>(rng->Next());
    }
    if (options.terms) {
      terms_.emplace(NumBlocks() * simd::kBlockLanes - (options.to_the_edge ? NumAbsent() : 0));
      for (std::size_t i = 0; i < num_lanes; ++i) {
        terms_->data()[i] = rng->Uniform(-2, 2);
      }
    }
    ForAbsentBytes(Poison);
  }
  CodeBlocks(const CodeBlocks&) = delete;
  CodeBlocks& operator=(const CodeBlocks&) = delete;
  ~CodeBlocks() { ForAbsentBytes(Unpoison); }

  [[nodiscard]] CodeRun run() const {
    return {codes_.data(), terms_ ? terms_->data() : nullptr, code_len_, num_lanes_};
  }

 private:
  [[nodiscard]] std::size_t NumBlocks() const {
    return (num_lanes_ + simd::kBlockLanes - 1) / simd::kBlockLanes;
  }
  [[nodiscard]] std::size_t NumAbsent() const {
    return NumBlocks() * simd::kBlockLanes - num_lanes_;
  }

  /// Calls body(bytes) for the lanes that each code byte of the last block lacks, and for the
  /// terms that are none.
  template <typename Body>
  void ForAbsentBytes(const Body& body) {
    const std::span<std::uint8_t> codes(codes_.data(), codes_.size());
    for (std::size_t j = 0; j < code_len_; ++j) {
      const std::size_t end = ((NumBlocks() - 1) * code_len_ + j + 1) * simd::kBlockLanes;
      if (end <= codes.size()) {
        body(std::as_bytes(codes.subspan(end - NumAbsent(), NumAbsent())));
      }
    }
    if (terms_) {
      body(std::as_bytes(std::span(terms_->data(), terms_->size()).subspan(num_lanes_)));
    }
  }

  static void Poison([[maybe_unused]] std::span<const std::byte> bytes) {
#if FOREBAY_TEST_ASAN
    __asan_poison_memory_region(bytes.data(), bytes.size());
#endif
  }
  static void Unpoison([[maybe_unused]] std::span<const std::byte> bytes) {
#if FOREBAY_TEST_ASAN
    __asan_unpoison_memory_region(bytes.data(), bytes.size());
#endif
  }

  std::size_t num_lanes_;
  std::size_t code_len_;
  GuardedArray<std::uint8_t> codes_;
  std::optional<GuardedArray<float>> terms_;  // NaN behind the lanes.
};

}  // namespace forebay::testing
