// The scans of every vectorised level, written once over two types. A level's file defines both in
// its anonymous namespace. V is the one of dense.inl.h and has besides:
//   Add(a, b) NotGreater(a, b)             the latter a bit for each lane; NaN is not greater
// B is a register of byte lanes, which also serve as half as many 16-bit lanes:
//   Bytes, kLanes                          32 or 64 of them
//   Zero() Load(p) LoadFirst(n, p)         the last one reads no more than n bytes, which may be
//                                          none, the others are 0; p needs no alignment
//   Add8 Add16 AddSaturated16 High8(a)          of 16-bit lanes; High8 is a / 256
//   SubHigh8(a, b)                         a - 256 b, modulo 2^16
//   LoadTable16(p)                         16 entries, for
//   FindLow(table, codes) FindHigh         the entries of the low or the high four bits
//   Steps(even, odd, q)                    V::Floats: lanes 16 q .. 16 q + 15 of sums that stand
//                                          in 16-bit lanes, those of even and those of odd lanes
//   Append(lanes, first, bounds, out)      writes first + the number of each set bit, in order, and
//                                          those bounds; returns how many; may write up to
//                                          kPackLanes too many
#pragma once

#include "simd/kernels.h"
#include "simd/unroll.inl.h"

namespace forebay::simd {
namespace {

/// Of __builtin_prefetch: what is loaded ahead is more than L1 holds.
inline constexpr int kIntoL2 = 2;

inline constexpr std::uint64_t kAllLanes = ~std::uint64_t{0};

inline std::uint64_t FirstLanes(std::size_t n) {
  return n >= kBlockLanes ? kAllLanes : (std::uint64_t{1} << n) - 1;
}

/// Sums of up to 256 entries for each of B::kLanes lanes: none of them reaches 2^16. As 16-bit
/// numbers they need two registers, for even and odd lanes; adding up pairs of lanes (modulo 2^16)
/// and the odd ones saves taking out the even ones each time.
template <typename B>
struct EntrySums {
  typename B::Bytes pairs;
  typename B::Bytes odd;

  void Add(typename B::Bytes entries) {
    pairs = B::Add16(pairs, entries);
    odd = B::Add16(odd, B::High8(entries));
  }
};

/// Sums of even and odd lanes, saturated.
template <typename B>
struct LaneSums {
  typename B::Bytes even;
  typename B::Bytes odd;

  void Set(const EntrySums<B>& sums) {
    even = B::SubHigh8(sums.pairs, sums.odd);
    odd = sums.odd;
  }
  void Add(const EntrySums<B>& sums) {
    even = B::AddSaturated16(even, B::SubHigh8(sums.pairs, sums.odd));
    odd = B::AddSaturated16(odd, sums.odd);
  }
};

/// 8 bits. Entries is the level's: Entries(table) and Find(codes). With kHalves, two code bytes are
/// looked up at a time.
template <typename B, typename Entries, bool kHalves>
struct Lookup8Bit {
  static constexpr std::size_t kTableBytes = 256;
  static constexpr std::size_t kExactBytes = 256;  // Of code, whose sums are exact.
  static constexpr std::size_t kStep = kHalves ? 2 : 1;
  Entries entries;

  explicit Lookup8Bit(const std::uint8_t* table) : entries(table) {}

  [[nodiscard]] typename B::Bytes Find(typename B::Bytes codes) const {
    return entries.Find(codes);
  }
  void Add(typename B::Bytes codes, EntrySums<B>* sums) const { sums->Add(Find(codes)); }
};

/// 4 bits: two sub-vectors of 16 entries for each code byte.
template <typename B, bool kHalves>
struct Lookup4Bit {
  static constexpr std::size_t kTableBytes = 32;
  static constexpr std::size_t kExactBytes = 128;
  static constexpr std::size_t kStep = 1;
  typename B::Table low;
  typename B::Table high;

  explicit Lookup4Bit(const std::uint8_t* table)
      : low(B::LoadTable16(table)), high(B::LoadTable16(table + 16)) {}

  void Add(typename B::Bytes codes, EntrySums<B>* sums) const {
    const auto of_low = B::FindLow(low, codes);
    const auto of_high = B::FindHigh(high, codes);
    if constexpr (kHalves) {
      sums->Add(B::Add8(of_low, of_high));
    } else {
      sums->Add(of_low);
      sums->Add(of_high);
    }
  }
};

/// What is left of the room after `count` lanes.
inline ScanOutput From(const ScanOutput& out, std::size_t count) {
  return {out.lanes + count, out.bounds + count};
}

/// How many of n lanes there are from `lane` on.
inline std::size_t LanesFrom(std::size_t lane, std::size_t n) { return n > lane ? n - lane : 0; }

/// kBlocks blocks: each sub-vector's table is loaded once for all of them. All but the last have 64
/// lanes, and the last one too if kLastFull.
template <typename V, typename B, typename Lookup, std::size_t kBlocks, bool kLastFull>
struct ScanTile {
  static constexpr std::size_t kRegisters = kBlockLanes / B::kLanes;
  static constexpr std::size_t kSums = kBlocks * kRegisters;
  static constexpr bool IsFull(std::size_t block) { return kLastFull || block + 1 < kBlocks; }

  const CodeBlock* blocks;
  std::size_t code_len;
  const BoundTable& table;

  template <std::size_t kSum>
  [[nodiscard]] typename B::Bytes LoadCodes(const std::uint8_t* const* codes, std::size_t j) const {
    constexpr std::size_t kBlock = kSum / kRegisters;
    constexpr std::size_t kLane = kSum % kRegisters * B::kLanes;
    const std::uint8_t* from = codes[kBlock] + j * kBlockLanes + kLane;
    return IsFull(kBlock) ? B::Load(from)
                          : B::LoadFirst(LanesFrom(kLane, blocks[kBlock].num_lanes), from);
  }

  /// Adds up the entries of kStep code bytes from j on, and begins to load as many of the blocks to
  /// come: a few at a time, between arithmetic, as many at once would have to wait for each other.
  template <std::size_t kStep>
  void AddStep(const std::uint8_t* const* codes, const std::uint8_t* const* ahead, std::size_t j,
               EntrySums<B>* sums) const {
    const Lookup lookup(table.entries + j * Lookup::kTableBytes);
    if constexpr (kStep == 1) {
      ForEach<kSums>([&](auto i) {
        constexpr std::size_t kSum = decltype(i)::kValue;
        lookup.Add(LoadCodes<kSum>(codes, j), &sums[kSum]);
      });
    } else {
      typename B::Bytes of_first[kSums];
      ForEach<kSums>([&](auto i) {
        constexpr std::size_t kSum = decltype(i)::kValue;
        of_first[kSum] = lookup.Find(LoadCodes<kSum>(codes, j));
      });
      const Lookup second(table.entries + (j + 1) * Lookup::kTableBytes);
      ForEach<kSums>([&](auto i) {
        constexpr std::size_t kSum = decltype(i)::kValue;
        sums[kSum].Add(B::Add8(of_first[kSum], second.Find(LoadCodes<kSum>(codes, j + 1))));
      });
    }
    ForEach<kBlocks * kStep>([&](auto i) {
      constexpr std::size_t kLine = decltype(i)::kValue;
      __builtin_prefetch(ahead[kLine / kStep] + (j + kLine % kStep) * kBlockLanes, 0, kIntoL2);
    });
  }

  /// Adds up the entries of kExactBytes code bytes from `begin` on, or of what there is.
  void AddEntries(std::size_t begin, EntrySums<B>* sums) const {
    EntrySums<B> exact[kSums];
    ForEach<kSums>([&](auto i) { exact[decltype(i)::kValue] = {B::Zero(), B::Zero()}; });
    const std::uint8_t* codes[kBlocks];
    const std::uint8_t* ahead[kBlocks];
    ForEach<kBlocks>([&](auto i) {
      const CodeBlock& block = blocks[decltype(i)::kValue];
      codes[decltype(i)::kValue] = block.codes;
      ahead[decltype(i)::kValue] = block.ahead != nullptr ? block.ahead : block.codes;
    });
    const std::size_t end =
        code_len - begin < Lookup::kExactBytes ? code_len : begin + Lookup::kExactBytes;
    std::size_t j = begin;
    for (; j + Lookup::kStep <= end; j += Lookup::kStep) {
      AddStep<Lookup::kStep>(codes, ahead, j, exact);
    }
    if (j < end) {
      AddStep<1>(codes, ahead, j, exact);
    }
    ForEach<kSums>([&](auto i) { sums[decltype(i)::kValue] = exact[decltype(i)::kValue]; });
  }

  /// The terms of lanes 16 q .. 16 q + 15.
  template <std::size_t kBlock>
  [[nodiscard]] typename V::Floats LoadTerms(std::size_t q) const {
    const CodeBlock& block = blocks[kBlock];
    if (block.terms == nullptr) {
      return V::Zero();
    }
    const float* terms = block.terms + q * kPackLanes;
    return IsFull(kBlock) ? V::Load(terms)
                          : V::LoadFirst(LanesFrom(q * kPackLanes, block.num_lanes), terms);
  }

  /// The lanes of the b-th block that the bound keeps, and any absent ones; and all lanes' bounds.
  template <std::size_t kBlock>
  [[nodiscard]] std::uint64_t Kept(const LaneSums<B>* sums, float* bounds) const {
    constexpr std::size_t kPacks = B::kLanes / kPackLanes;
    const CodeBlock& block = blocks[kBlock];
    std::uint64_t kept = 0;
    ForEach<kBlockLanes / kPackLanes>([&](auto i) {
      constexpr std::size_t kPack = decltype(i)::kValue;
      const LaneSums<B>& of_lanes = sums[kBlock * kRegisters + kPack / kPacks];
      const auto steps = B::Steps(of_lanes.even, of_lanes.odd, kPack % kPacks);
      const auto base = V::Add(V::Set(block.base), LoadTerms<kBlock>(kPack));
      const auto lower = V::Fma(V::Set(table.delta), steps, base);
      V::Store(bounds + kPack * kPackLanes, lower);
      kept |= std::uint64_t{V::NotGreater(lower, V::Set(block.limit))} << (kPack * kPackLanes);
    });
    return kept;
  }

  /// `first` is the number of the first lane.
  [[nodiscard]] std::size_t Run(std::size_t first, const ScanOutput& out) const {
    EntrySums<B> exact[kSums];
    LaneSums<B> sums[kSums];
    AddEntries(0, exact);
    ForEach<kSums>([&](auto i) { sums[decltype(i)::kValue].Set(exact[decltype(i)::kValue]); });
    for (std::size_t begin = Lookup::kExactBytes; begin < code_len; begin += Lookup::kExactBytes) {
      AddEntries(begin, exact);
      ForEach<kSums>([&](auto i) { sums[decltype(i)::kValue].Add(exact[decltype(i)::kValue]); });
    }
    std::uint64_t kept[kBlocks];
    float bounds[kBlocks][kBlockLanes];
    ForEach<kBlocks>([&](auto i) {
      constexpr std::size_t kBlock = decltype(i)::kValue;
      kept[kBlock] = Kept<kBlock>(sums, bounds[kBlock]) & blocks[kBlock].eligible;
    });
    std::size_t count = 0;
    for (std::size_t b = 0; b < kBlocks; ++b) {
      if (kept[b] != 0) {
        count += B::Append(kept[b], first + b * kBlockLanes, bounds[b], From(out, count));
      }
    }
    return count;
  }
};

/// How many blocks from `block` on make a tile: kMost at the most, and all but the last are full.
template <std::size_t kMost>
std::size_t TileSize(const CodeBlocks& blocks, std::size_t block) {
  std::size_t size = 1;
  while (size < kMost && block + size < blocks.num_blocks &&
         blocks.blocks[block + size - 1].num_lanes == kBlockLanes) {
    ++size;
  }
  return size;
}

/// Scans `size` blocks from `block` on, which are at most kBlocks.
template <typename V, typename B, typename Lookup, std::size_t kBlocks>
std::size_t ScanBlocks(const CodeBlocks& blocks, const BoundTable& table, std::size_t block,
                       std::size_t size, const ScanOutput& out) {
  if constexpr (kBlocks > 1) {
    if (size < kBlocks) {
      return ScanBlocks<V, B, Lookup, kBlocks - 1>(blocks, table, block, size, out);
    }
  }
  const CodeBlock* here = blocks.blocks + block;
  if (here[kBlocks - 1].num_lanes == kBlockLanes) {
    const ScanTile<V, B, Lookup, kBlocks, true> tile{here, blocks.code_len, table};
    return tile.Run(block * kBlockLanes, out);
  }
  const ScanTile<V, B, Lookup, kBlocks, false> tile{here, blocks.code_len, table};
  return tile.Run(block * kBlockLanes, out);
}

/// kBlocks at a time while there are so many.
template <typename V, typename B, typename Lookup, std::size_t kBlocks>
std::size_t ScanAll(const CodeBlocks& blocks, const BoundTable& table, const ScanOutput& out) {
  std::size_t count = 0;
  for (std::size_t block = 0; block < blocks.num_blocks;) {
    const std::size_t size = TileSize<kBlocks>(blocks, block);
    count += ScanBlocks<V, B, Lookup, kBlocks>(blocks, table, block, size, From(out, count));
    block += size;
  }
  return count;
}

template <typename V, typename B, typename Entries, std::size_t kBlocks>
std::size_t Scan8Bit(const CodeBlocks& blocks, const BoundTable& table, const ScanOutput& out) {
  return table.halves ? ScanAll<V, B, Lookup8Bit<B, Entries, true>, kBlocks>(blocks, table, out)
                      : ScanAll<V, B, Lookup8Bit<B, Entries, false>, kBlocks>(blocks, table, out);
}

template <typename V, typename B, std::size_t kBlocks>
std::size_t Scan4Bit(const CodeBlocks& blocks, const BoundTable& table, const ScanOutput& out) {
  return table.halves ? ScanAll<V, B, Lookup4Bit<B, true>, kBlocks>(blocks, table, out)
                      : ScanAll<V, B, Lookup4Bit<B, false>, kBlocks>(blocks, table, out);
}

}  // namespace
}  // namespace forebay::simd
