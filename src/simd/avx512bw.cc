// AVX-512 F, BW, DQ and VL: Intel since 2017, AMD since 2022.
#include <immintrin.h>

#include "simd/adc.inl.h"
#include "simd/dense.inl.h"
#include "simd/kernels.h"

namespace forebay::simd {

extern const Kernels kAvx512bwKernels;

namespace {

constexpr std::uint64_t kAllLanes = ~std::uint64_t{0};

inline std::uint64_t FirstLanes(std::size_t n) {
  return n >= kBlockLanes ? kAllLanes : (std::uint64_t{1} << n) - 1;
}

struct V {
  using Floats = __m512;
  using Ints = __m512i;

  static Floats Zero() { return _mm512_setzero_ps(); }
  static Floats Set(float x) { return _mm512_set1_ps(x); }
  static Floats Load(const float* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
  static Floats Sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats Fma(Floats a, Floats b, Floats acc) { return _mm512_fmadd_ps(a, b, acc); }
  static __mmask16 First(std::size_t n) { return static_cast<__mmask16>(FirstLanes(n)); }
  static Floats LoadFirst(std::size_t n, const float* p) {
    return _mm512_maskz_loadu_ps(First(n), p);
  }
  static Floats FmaFirst(std::size_t n, Floats a, Floats b, Floats acc) {
    return _mm512_mask3_fmadd_ps(a, b, acc, First(n));
  }
  static Ints LaneNumbers() {
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  static Ints AddInts(Ints v, std::size_t n) {
    return _mm512_add_epi32(v, _mm512_set1_epi32(static_cast<int>(n)));
  }
  static void KeepGreater(Floats scores, Ints indexes, Floats* best, Ints* best_indexes) {
    const __mmask16 greater = _mm512_cmp_ps_mask(scores, *best, _CMP_GT_OQ);
    *best = _mm512_mask_mov_ps(*best, greater, scores);
    *best_indexes = _mm512_mask_mov_epi32(*best_indexes, greater, indexes);
  }
  static std::uint32_t ArgMax(Floats scores, Ints indexes, float* score) {
    *score = _mm512_reduce_max_ps(scores);
    const __mmask16 best = _mm512_cmp_ps_mask(scores, Set(*score), _CMP_EQ_OQ);
    return static_cast<std::uint32_t>(_mm512_mask_reduce_min_epu32(best, indexes));
  }
  static float ReduceTree(Floats v) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

/// Sums of one block's 64 lanes as they stand in the registers.
struct Sums {
  __m512i first = _mm512_setzero_si512();
  __m512i second = _mm512_setzero_si512();
};

/// 8 bits. A sub-vector's 256 entries are 128 words in four registers. A word lookup on code / 2
/// finds a pair of entries, a shift by 8 x (code % 2) the entry: the sums are 16-bit at once.
/// Sums: lanes 0..31, lanes 32..63.
struct Lookup8Bit {
  static constexpr std::size_t kTableBytes = 256;
  __m512i words[4];

  explicit Lookup8Bit(const std::uint8_t* table) {
    for (std::size_t i = 0; i < 4; ++i) {
      words[i] = _mm512_loadu_si512(table + i * 64);
    }
  }

  [[nodiscard]] __m512i Entries(__mmask32 lanes, const std::uint8_t* codes) const {
    const __m512i code = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(lanes, codes));
    const __m512i pair = _mm512_srli_epi16(code, 1);
    const __m512i low = _mm512_permutex2var_epi16(words[0], pair, words[1]);
    const __m512i high = _mm512_permutex2var_epi16(words[2], pair, words[3]);
    const __mmask32 upper = _mm512_test_epi16_mask(code, _mm512_set1_epi16(0x80));
    const __m512i both = _mm512_mask_mov_epi16(low, upper, high);
    const __m512i shift = _mm512_slli_epi16(_mm512_and_si512(code, _mm512_set1_epi16(1)), 3);
    return _mm512_and_si512(_mm512_srlv_epi16(both, shift), _mm512_set1_epi16(0xff));
  }

  void Add(std::uint64_t lanes, const std::uint8_t* codes, Sums* sums) const {
    const auto first = static_cast<__mmask32>(lanes);
    const auto second = static_cast<__mmask32>(lanes >> 32U);
    sums->first = _mm512_adds_epu16(sums->first, Entries(first, codes));
    sums->second = _mm512_adds_epu16(sums->second, Entries(second, codes + 32));
  }

  /// The sums of lanes 16 q .. 16 q + 15.
  static __m256i Quarter(const Sums& sums, std::size_t q) {
    const __m512i half = q < 2 ? sums.first : sums.second;
    return q % 2 == 0 ? _mm512_castsi512_si256(half) : _mm512_extracti64x4_epi64(half, 1);
  }
};

/// 4 bits. Two sub-vectors of 16 entries for each code byte: a byte shuffle is the lookup. Sums:
/// even lanes, odd lanes.
struct Lookup4Bit {
  static constexpr std::size_t kTableBytes = 32;
  __m512i low;
  __m512i high;

  explicit Lookup4Bit(const std::uint8_t* table)
      : low(Broadcast(table)), high(Broadcast(table + 16)) {}

  static __m512i Broadcast(const std::uint8_t* entries) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(entries)));
  }

  void Add(std::uint64_t lanes, const std::uint8_t* codes, Sums* sums) const {
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i code = _mm512_maskz_loadu_epi8(lanes, codes);
    const __m512i code_high = _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble);
    AddBytes(_mm512_shuffle_epi8(low, _mm512_and_si512(code, nibble)), sums);
    AddBytes(_mm512_shuffle_epi8(high, code_high), sums);
  }

  static void AddBytes(__m512i bytes, Sums* sums) {
    const __m512i even = _mm512_and_si512(bytes, _mm512_set1_epi16(0xff));
    sums->first = _mm512_adds_epu16(sums->first, even);
    sums->second = _mm512_adds_epu16(sums->second, _mm512_srli_epi16(bytes, 8));
  }

  static __m256i Quarter(const Sums& sums, std::size_t q) {
    const __m128i even = Lane128(sums.first, q);
    const __m128i odd = Lane128(sums.second, q);
    return _mm256_set_m128i(_mm_unpackhi_epi16(even, odd), _mm_unpacklo_epi16(even, odd));
  }

  static __m128i Lane128(__m512i v, std::size_t q) {
    switch (q) {
      case 0:
        return _mm512_extracti32x4_epi32(v, 0);
      case 1:
        return _mm512_extracti32x4_epi32(v, 1);
      case 2:
        return _mm512_extracti32x4_epi32(v, 2);
      default:
        return _mm512_extracti32x4_epi32(v, 3);
    }
  }
};

/// Appends the lanes of one block that the bound keeps.
template <typename Lookup>
std::size_t Keep(const CodeRun& run, const ScanBound& bound, const Sums& sums, std::size_t block,
                 std::uint64_t lanes, std::uint32_t* survivors) {
  std::size_t count = 0;
  for (std::size_t q = 0; q < kBlockLanes / kPackLanes; ++q) {
    const auto mask = static_cast<__mmask16>(lanes >> (q * kPackLanes));
    const std::size_t lane = block * kBlockLanes + q * kPackLanes;
    const __m512 term =
        run.terms != nullptr ? _mm512_maskz_loadu_ps(mask, run.terms + lane) : V::Zero();
    const __m512 steps = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(Lookup::Quarter(sums, q)));
    const __m512 base = _mm512_add_ps(V::Set(bound.base), term);
    const __m512 lower = V::Fma(V::Set(bound.delta), steps, base);
    const __mmask16 kept = _mm512_mask_cmp_ps_mask(mask, lower, V::Set(bound.limit), _CMP_NGT_UQ);
    // Compressed in a register: compress-store to memory is slow on Zen 4.
    const __m512i numbers = V::AddInts(V::LaneNumbers(), lane);
    _mm512_storeu_si512(survivors + count, _mm512_maskz_compress_epi32(kept, numbers));
    count += static_cast<std::size_t>(__builtin_popcount(kept));
  }
  return count;
}

/// Scans kBlocks blocks from `block` on: each sub-vector's table is loaded once for all of them.
template <typename Lookup, std::size_t kBlocks>
std::size_t ScanBlocks(const CodeRun& run, const ScanBound& bound, const std::uint64_t* eligible,
                       std::size_t block, std::uint32_t* survivors) {
  const std::size_t block_bytes = run.code_len * kBlockLanes;
  const std::uint8_t* codes = run.codes + block * block_bytes;
  const std::uint64_t last_lanes = FirstLanes(run.num_lanes - (block + kBlocks - 1) * kBlockLanes);
  const auto present = [&](std::size_t b) { return b + 1 == kBlocks ? last_lanes : kAllLanes; };
  Sums sums[kBlocks];
  for (std::size_t j = 0; j < run.code_len; ++j) {
    const Lookup lookup(bound.table + j * Lookup::kTableBytes);
    for (std::size_t b = 0; b < kBlocks; ++b) {
      lookup.Add(present(b), codes + b * block_bytes + j * kBlockLanes, &sums[b]);
    }
  }
  std::size_t count = 0;
  for (std::size_t b = 0; b < kBlocks; ++b) {
    const std::uint64_t lanes =
        present(b) & (eligible != nullptr ? eligible[block + b] : kAllLanes);
    count += Keep<Lookup>(run, bound, sums[b], block + b, lanes, survivors + count);
  }
  return count;
}

template <typename Lookup>
std::size_t Scan(const CodeRun& run, const ScanBound& bound, const std::uint64_t* eligible,
                 std::uint32_t* survivors) {
  constexpr std::size_t kBlocks = 8;
  const std::size_t num_blocks = (run.num_lanes + kBlockLanes - 1) / kBlockLanes;
  std::size_t count = 0;
  std::size_t block = 0;
  for (; block + kBlocks <= num_blocks; block += kBlocks) {
    count += ScanBlocks<Lookup, kBlocks>(run, bound, eligible, block, survivors + count);
  }
  for (; block < num_blocks; ++block) {
    count += ScanBlocks<Lookup, 1>(run, bound, eligible, block, survivors + count);
  }
  return count;
}

}  // namespace

const Kernels kAvx512bwKernels = {
    .name = "avx512bw",
    .nearest = Nearest<V>,
    .packed_l2 = PackedDistances<V, true>,
    .packed_dot = PackedDistances<V, false>,
    .l2 = L2<V>,
    .dot = Dot<V>,
    .residual_term = ResidualTerm<V>,
    .scan_8bit = Scan<Lookup8Bit>,
    .scan_4bit = Scan<Lookup4Bit>,
    .adc_8bit = Adc<8>,
    .adc_4bit = Adc<4>,
};

}  // namespace forebay::simd
