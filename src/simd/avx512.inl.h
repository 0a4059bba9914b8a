// What the AVX-512 levels share: everything but the lookup of 8-bit codes. Needs F, BW, DQ and VL.
// Included by the files of the levels, each of which compiles its own copy.
#pragma once

#include <immintrin.h>

#include "simd/adc.inl.h"
#include "simd/dense.inl.h"
#include "simd/kernels.h"
#include "simd/reduce_tree.inl.h"
#include "simd/scan.inl.h"
#include "simd/screen.inl.h"
#include "simd/select.inl.h"

namespace forebay::simd {
namespace {

/// 16 float lanes: V of dense.inl.h and scan.inl.h.
struct V {
  using Floats = __m512;
  using Ints = __m512i;
  static constexpr std::size_t kShortVectors = 4;

  static Floats Zero() { return _mm512_setzero_ps(); }
  static Floats Set(float x) { return _mm512_set1_ps(x); }
  static Floats Load(const float* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
  static Floats Add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
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
    *best = _mm512_max_ps(scores, *best);  // The second of equals, and if one is not a number.
    *best_indexes = _mm512_mask_mov_epi32(*best_indexes, greater, indexes);
  }
  static Floats Mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static float ReduceMax(Floats v) { return _mm512_reduce_max_ps(v); }
  static void StoreBytes(std::uint8_t* p, Floats v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v)));
  }
  static std::uint32_t ArgMax(Floats scores, Ints indexes, float* score) {
    *score = _mm512_reduce_max_ps(scores);
    const __mmask16 best = _mm512_cmp_ps_mask(scores, Set(*score), _CMP_EQ_OQ);
    const Ints candidates = _mm512_maskz_compress_epi32(best, indexes);
    if ((best & (best - 1)) == 0) {  // No tie.
      return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm512_castsi512_si128(candidates)));
    }
    return static_cast<std::uint32_t>(_mm512_mask_reduce_min_epu32(best, indexes));
  }
  static float ReduceTree(Floats v) {
    return ReduceTree8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
  }
  static Ints SetInts(std::int32_t x) { return _mm512_set1_epi32(x); }
  static void StoreInts(std::int32_t* p, Ints v) { _mm512_storeu_si512(p, v); }
  static std::uint32_t FirstEqual(Floats a, Floats b) {
    const std::uint32_t equal = _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
    return static_cast<std::uint32_t>(__builtin_ctz(equal | 1U << kPackLanes)) % kPackLanes;
  }
  static Ints LoadInts(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static Ints MultiplyAddPairs(Ints a, Ints b, Ints acc) {
    return _mm512_add_epi32(_mm512_madd_epi16(a, b), acc);
  }
  static Floats ToFloats(Ints v) { return _mm512_cvtepi32_ps(v); }
  static Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static void StoreWords(std::int16_t* p, Floats v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(v)));
  }
  static Floats SelectEqual(Ints v, std::uint32_t n, Floats a, Floats b) {
    return _mm512_mask_mov_ps(b, _mm512_cmpeq_epi32_mask(v, SetInts(static_cast<int>(n))), a);
  }
  static std::uint16_t NotGreater(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_NGT_UQ);
  }
};

/// 64 byte lanes: B of scan.inl.h.
struct B {
  using Bytes = __m512i;
  using Table = __m512i;
  static constexpr std::size_t kLanes = 64;

  static Bytes Zero() { return _mm512_setzero_si512(); }
  static Bytes Load(const std::uint8_t* p) {
    Bytes codes = _mm512_loadu_si512(p);
    __asm__("" : "+v"(codes));  // Or gcc loads them again for each use.
    return codes;
  }
  static Bytes LoadFirst(std::size_t n, const std::uint8_t* p) {
    return _mm512_maskz_loadu_epi8(FirstLanes(n), p);
  }
  static Bytes Add8(Bytes a, Bytes b) { return _mm512_add_epi8(a, b); }
  static Bytes Add16(Bytes a, Bytes b) { return _mm512_add_epi16(a, b); }
  static Bytes AddSaturated16(Bytes a, Bytes b) { return _mm512_adds_epu16(a, b); }
  static Bytes High8(Bytes a) { return _mm512_srli_epi16(a, 8); }
  static Bytes SubHigh8(Bytes a, Bytes b) { return _mm512_sub_epi16(a, _mm512_slli_epi16(b, 8)); }
  static Table LoadTable16(const std::uint8_t* p) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Bytes FindLow(Table table, Bytes codes) {
    return _mm512_shuffle_epi8(table, _mm512_and_si512(codes, _mm512_set1_epi8(15)));
  }
  static Bytes FindHigh(Table table, Bytes codes) {
    return FindLow(table, _mm512_srli_epi16(codes, 4));
  }

  static __m512 Steps(Bytes even, Bytes odd, std::size_t q) {
    const __m512i words = Interleave(even, odd, q / 2);
    const __m256i pack =
        q % 2 == 0 ? _mm512_castsi512_si256(words) : _mm512_extracti64x4_epi64(words, 1);
    return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(pack));
  }

  /// 16-bit lanes 16 half .. 16 half + 15 of both, in turns.
  static __m512i Interleave(Bytes even, Bytes odd, std::size_t half) {
    const __m512i pairs = _mm512_setr_epi32(
        0x200000, 0x210001, 0x220002, 0x230003, 0x240004, 0x250005, 0x260006, 0x270007, 0x280008,
        0x290009, 0x2a000a, 0x2b000b, 0x2c000c, 0x2d000d, 0x2e000e, 0x2f000f);
    const __m512i offset = _mm512_set1_epi16(static_cast<short>(half * 16));
    return _mm512_permutex2var_epi16(even, _mm512_add_epi16(pairs, offset), odd);
  }

  static std::size_t Append(std::uint64_t lanes, std::size_t first, const float* bounds,
                            const ScanOutput& out) {
    std::size_t count = 0;
    for (std::size_t q = 0; q < kBlockLanes / kPackLanes; ++q) {
      const auto mask = static_cast<__mmask16>(lanes >> (q * kPackLanes));
      // Compressed in a register: compress-store to memory is slow on Zen 4.
      const __m512i numbers = V::AddInts(V::LaneNumbers(), first + q * kPackLanes);
      _mm512_storeu_si512(out.lanes + count, _mm512_maskz_compress_epi32(mask, numbers));
      const __m512 kept = _mm512_maskz_compress_ps(mask, V::Load(bounds + q * kPackLanes));
      V::Store(out.bounds + count, kept);
      count += static_cast<std::size_t>(__builtin_popcount(mask));
    }
    return count;
  }
};

inline std::size_t KeepLeast512(const std::uint64_t* keys, std::size_t n, std::uint64_t last,
                                std::uint64_t* out) {
  const __m512i greatest = _mm512_set1_epi64(static_cast<long long>(last));
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; i += 8) {
    const auto present = static_cast<__mmask8>(FirstLanes(n - i));
    const __m512i here = _mm512_maskz_loadu_epi64(present, keys + i);
    const __mmask8 kept = _mm512_mask_cmple_epu64_mask(present, here, greatest);
    const auto num_kept = static_cast<std::size_t>(__builtin_popcount(kept));
    // Compressed in a register, and no more than it has is written, as `out` may be `keys`.
    const auto first = static_cast<__mmask8>(FirstLanes(num_kept));
    _mm512_mask_storeu_epi64(out + count, first, _mm512_maskz_compress_epi64(kept, here));
    count += num_kept;
  }
  return count;
}

inline std::uint64_t TestBits512(const BitSet& bits, const std::uint32_t* numbers, std::size_t n) {
  if (n == 0 || bits.size == 0) {
    return 0;
  }
  const std::uint64_t first = numbers[0] + bits.offset;
  const std::uint64_t last = numbers[n - 1] + bits.offset;
  constexpr std::uint64_t kMost = 0xffffffff;
  if (first > kMost || last > kMost) {
    return TestBits(bits, numbers, n);  // Beyond what 32-bit lanes can address.
  }
  const std::uint64_t end = bits.size - 1 < kMost ? bits.size - 1 : kMost;
  const __m512i greatest = _mm512_set1_epi32(static_cast<int>(end));
  const __m512i offset = _mm512_set1_epi32(static_cast<int>(bits.offset));
  const __m512i one = _mm512_set1_epi32(1);
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < n; i += kPackLanes) {
    const __mmask16 present = V::First(n - i);
    const __m512i here = _mm512_maskz_loadu_epi32(present, numbers + i);
    const __m512i places = _mm512_add_epi32(here, offset);
    const __mmask16 inside = _mm512_mask_cmple_epu32_mask(present, places, greatest);
    const __m512i words = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), inside,
                                                      _mm512_srli_epi32(places, 5), bits.words, 4);
    const __m512i wanted = _mm512_sllv_epi32(one, _mm512_and_si512(places, _mm512_set1_epi32(31)));
    found |= std::uint64_t{_mm512_test_epi32_mask(words, wanted)} << i;
  }
  return found;
}

inline constexpr auto kNearest = Nearest<V, Tile<8, 2>, Tile<4, 4>, Tile<2, 4>, Tile<1, 8>>;

/// ByteLanes is B, or B with better lookups; Entries looks up 8-bit codes.
template <typename ByteLanes, typename Entries>
constexpr Kernels Avx512Kernels(const char* name) {
  return {
      .name = name,
      .nearest = kNearest,
      .nearest_screened =
          NearestScreened<V, kNearest, Tile<8, 2>, Tile<4, 4>, Tile<2, 4>, Tile<1, 8>>,
      .packed_l2 = PackedDistances<V, true, Tile<4, 4>, Tile<1, 8>>,
      .packed_dot = PackedDistances<V, false, Tile<4, 4>, Tile<1, 8>>,
      .l2 = L2<V>,
      .dot = Dot<V>,
      .residual_term = ResidualTerm<V>,
      .min_max = MinMax<V>,
      .quantize = Quantize<V>,
      .keep_least = KeepLeast512,
      .test_bits = TestBits512,
      .scan_8bit = Scan8Bit<V, ByteLanes, Entries, 8>,
      .scan_4bit = Scan4Bit<V, ByteLanes, 8>,
      .adc_8bit = Adc<8>,
      .adc_4bit = Adc<4>,
  };
}

}  // namespace
}  // namespace forebay::simd
