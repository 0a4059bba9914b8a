// The scans of every vectorised level, written once over two types. A level's file defines both in
// its anonymous namespace. V is the one of dense.inl.h and has besides:
//   Add(a, b) NotGreater(a, b)             the latter a bit for each lane; NaN is not greater
// B is a register of byte lanes, which also serve as half as many 16-bit lanes:
//   Bytes, kLanes                          32 or 64 of them
//   kScanBlocks                            blocks that share the loads of a table; a power of two
//   Zero() Load(p) LoadFirst(n, p)         the last one reads at most n bytes; p needs no alignment
//   Add16 AddSaturated16 Low8(a) High8(a)  of 16-bit lanes; Low8 and High8 give halves as numbers
//   SubHigh8(a, b)                         a - 256 b, modulo 2^16
//   LoadTable16(p)                         16 entries, for
//   FindLow(table, codes) FindHigh         the entries of the low or the high four bits
//   Steps(even, odd, q)                    V::Floats: lanes 16 q .. 16 q + 15 of sums that stand
//                                          in 16-bit lanes, those of even and those of odd lanes
//   Append(lanes, first, out)              writes first + the number of each set bit, in order, and
//                                          returns how many; may write up to kPackLanes too many
#pragma once

#include "simd/kernels.h"

namespace forebay::simd {
namespace {

constexpr std::uint64_t kAllLanes = ~std::uint64_t{0};

inline std::uint64_t FirstLanes(std::size_t n) {
  return n >= kBlockLanes ? kAllLanes : (std::uint64_t{1} << n) - 1;
}

/// Sums of fewer than 258 entries for each of B::kLanes lanes: none of them reaches 2^16. As 16-bit
/// numbers they need two registers, for even and odd lanes; adding up pairs of lanes (modulo 2^16)
/// and the odd ones saves taking out the even ones each time.
template <typename B>
struct EntrySums {
  typename B::Bytes pairs = B::Zero();
  typename B::Bytes odd = B::Zero();

  void Add(typename B::Bytes entries) {
    pairs = B::Add16(pairs, entries);
    odd = B::Add16(odd, B::High8(entries));
  }
};

/// The sums of any number of entries.
template <typename B>
struct SaturatedSums {
  typename B::Bytes even = B::Zero();
  typename B::Bytes odd = B::Zero();

  void Add(const EntrySums<B>& sums) {
    even = B::AddSaturated16(even, B::SubHigh8(sums.pairs, sums.odd));
    odd = B::AddSaturated16(odd, sums.odd);
  }
};

/// 8 bits. Entries is the level's: Entries(table) and Find(codes).
template <typename B, typename Entries>
struct Lookup8Bit {
  static constexpr std::size_t kTableBytes = 256;
  static constexpr std::size_t kExactBytes = 256;  // Of code, whose sums are exact.
  Entries entries;

  explicit Lookup8Bit(const std::uint8_t* table) : entries(table) {}

  void Add(typename B::Bytes codes, EntrySums<B>* sums) const { sums->Add(entries.Find(codes)); }
};

/// 4 bits: two sub-vectors of 16 entries for each code byte.
template <typename B>
struct Lookup4Bit {
  static constexpr std::size_t kTableBytes = 32;
  static constexpr std::size_t kExactBytes = 128;
  typename B::Table low;
  typename B::Table high;

  explicit Lookup4Bit(const std::uint8_t* table)
      : low(B::LoadTable16(table)), high(B::LoadTable16(table + 16)) {}

  void Add(typename B::Bytes codes, EntrySums<B>* sums) const {
    sums->Add(B::FindLow(low, codes));
    sums->Add(B::FindHigh(high, codes));
  }
};

/// kBlocks consecutive blocks: each sub-vector's table is loaded once for all of them. Only the
/// last one may be partial.
template <typename V, typename B, typename Lookup, std::size_t kBlocks>
struct ScanTile {
  static constexpr std::size_t kRegisters = kBlockLanes / B::kLanes;  // For a byte of each lane.

  SaturatedSums<B> sums[kBlocks][kRegisters];

  /// Lanes of the run from this tile's last block on.
  static std::size_t LastLanes(const CodeRun& run, std::size_t block) {
    return run.num_lanes - (block + kBlocks - 1) * kBlockLanes;
  }

  static typename B::Bytes LoadCodes(const std::uint8_t* codes, std::size_t lane, bool last,
                                     std::size_t last_lanes) {
    if (!last) {
      return B::Load(codes + lane);
    }
    return lane < last_lanes ? B::LoadFirst(last_lanes - lane, codes + lane) : B::Zero();
  }

  /// Adds the entries of the code bytes [begin, end), which are few enough for exact sums.
  void AddEntries(const CodeRun& run, const std::uint8_t* table, std::size_t block,
                  std::size_t begin, std::size_t end) {
    const std::size_t block_bytes = run.code_len * kBlockLanes;
    const std::uint8_t* codes = run.codes + block * block_bytes;
    const std::size_t last_lanes = LastLanes(run, block);
    EntrySums<B> exact[kBlocks][kRegisters];  // Local: code bytes could alias members.
    for (std::size_t j = begin; j < end; ++j) {
      const Lookup lookup(table + j * Lookup::kTableBytes);
      for (std::size_t b = 0; b < kBlocks; ++b) {
        for (std::size_t r = 0; r < kRegisters; ++r) {
          lookup.Add(LoadCodes(codes + b * block_bytes + j * kBlockLanes, r * B::kLanes,
                               b + 1 == kBlocks, last_lanes),
                     &exact[b][r]);
        }
      }
    }
    for (std::size_t b = 0; b < kBlocks; ++b) {
      for (std::size_t r = 0; r < kRegisters; ++r) {
        sums[b][r].Add(exact[b][r]);
      }
    }
  }

  /// The lanes of one block that the bound keeps; `terms` has num_lanes of them.
  static std::uint64_t Kept(const SaturatedSums<B>* sums, const ScanBound& bound,
                            const float* terms, std::size_t num_lanes) {
    constexpr std::size_t kPacks = B::kLanes / kPackLanes;
    std::uint64_t kept = 0;
    for (std::size_t q = 0; q < kBlockLanes / kPackLanes; ++q) {
      auto lower = V::Set(bound.base);
      if (terms != nullptr) {
        lower = V::Add(lower, LoadTerms(terms, q * kPackLanes, num_lanes));
      }
      const SaturatedSums<B>& of_lanes = sums[q / kPacks];
      const auto steps = B::Steps(of_lanes.even, of_lanes.odd, q % kPacks);
      lower = V::Fma(V::Set(bound.delta), steps, lower);
      kept |= std::uint64_t{V::NotGreater(lower, V::Set(bound.limit))} << (q * kPackLanes);
    }
    return kept & FirstLanes(num_lanes);
  }

  static typename V::Floats LoadTerms(const float* terms, std::size_t lane, std::size_t num_lanes) {
    if (lane + kPackLanes <= num_lanes) {
      return V::Load(terms + lane);
    }
    return lane < num_lanes ? V::LoadFirst(num_lanes - lane, terms + lane) : V::Zero();
  }

  static std::size_t Run(const CodeRun& run, const ScanBound& bound, const std::uint64_t* eligible,
                         std::size_t block, std::uint32_t* survivors) {
    ScanTile tile;
    for (std::size_t begin = 0; begin < run.code_len; begin += Lookup::kExactBytes) {
      const std::size_t left = run.code_len - begin;
      tile.AddEntries(run, bound.table, block, begin,
                      begin + (left < Lookup::kExactBytes ? left : Lookup::kExactBytes));
    }
    std::size_t count = 0;
    for (std::size_t b = 0; b < kBlocks; ++b) {
      const std::size_t first = (block + b) * kBlockLanes;
      const std::uint64_t kept =
          Kept(tile.sums[b], bound, run.terms != nullptr ? run.terms + first : nullptr,
               b + 1 == kBlocks ? LastLanes(run, block) : kBlockLanes);
      const std::uint64_t candidates = eligible != nullptr ? eligible[block + b] : kAllLanes;
      count += B::Append(kept & candidates, first, survivors + count);
    }
    return count;
  }
};

/// Scans blocks from `block` on, kBlocks at a time while there are so many, then half as many.
template <typename V, typename B, typename Lookup, std::size_t kBlocks>
std::size_t ScanFrom(const CodeRun& run, const ScanBound& bound, const std::uint64_t* eligible,
                     std::size_t block, std::uint32_t* survivors) {
  const std::size_t num_blocks = (run.num_lanes + kBlockLanes - 1) / kBlockLanes;
  std::size_t count = 0;
  for (; block + kBlocks <= num_blocks; block += kBlocks) {
    count += ScanTile<V, B, Lookup, kBlocks>::Run(run, bound, eligible, block, survivors + count);
  }
  if constexpr (kBlocks > 1) {
    count += ScanFrom<V, B, Lookup, kBlocks / 2>(run, bound, eligible, block, survivors + count);
  }
  return count;
}

template <typename V, typename B, typename Lookup>
std::size_t Scan(const CodeRun& run, const ScanBound& bound, const std::uint64_t* eligible,
                 std::uint32_t* survivors) {
  return ScanFrom<V, B, Lookup, B::kScanBlocks>(run, bound, eligible, 0, survivors);
}

}  // namespace
}  // namespace forebay::simd
