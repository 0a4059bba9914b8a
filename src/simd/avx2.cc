// AVX2 and FMA (x86-64-v3): Intel since 2013, AMD since 2015. Two registers make 16 float lanes.
#include <immintrin.h>

#include "simd/adc.inl.h"
#include "simd/dense.inl.h"
#include "simd/kernels.h"
#include "simd/reduce_tree.inl.h"
#include "simd/scan.inl.h"
#include "simd/screen.inl.h"
#include "simd/select.inl.h"

namespace forebay::simd {

extern const Kernels kAvx2Kernels;

namespace {

/// 16 float lanes: V of dense.inl.h and scan.inl.h.
struct V {
  struct Floats {
    __m256 low;
    __m256 high;
  };
  struct Ints {
    __m256i low;
    __m256i high;
  };
  static constexpr std::size_t kShortVectors = 1;

  static Floats Zero() { return Set(0); }
  static Floats Set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static Floats Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void Store(float* p, Floats v) {
    _mm256_storeu_ps(p, v.low);
    _mm256_storeu_ps(p + 8, v.high);
  }
  static Floats Add(Floats a, Floats b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  static Floats Sub(Floats a, Floats b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  static Floats Fma(Floats a, Floats b, Floats acc) {
    return {_mm256_fmadd_ps(a.low, b.low, acc.low), _mm256_fmadd_ps(a.high, b.high, acc.high)};
  }
  /// All ones in the first n lanes.
  static Ints First(std::size_t n) {
    const __m256i end = _mm256_set1_epi32(static_cast<int>(n));
    const Ints lanes = LaneNumbers();
    return {_mm256_cmpgt_epi32(end, lanes.low), _mm256_cmpgt_epi32(end, lanes.high)};
  }
  static Floats LoadFirst(std::size_t n, const float* p) {
    const Ints first = First(n);
    return {_mm256_maskload_ps(p, first.low), _mm256_maskload_ps(p + 8, first.high)};
  }
  static Floats FmaFirst(std::size_t n, Floats a, Floats b, Floats acc) {
    const Ints first = First(n);
    const Floats sums = Fma(a, b, acc);
    return {_mm256_blendv_ps(acc.low, sums.low, _mm256_castsi256_ps(first.low)),
            _mm256_blendv_ps(acc.high, sums.high, _mm256_castsi256_ps(first.high))};
  }
  static Ints LaneNumbers() {
    return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
            _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
  }
  static Ints AddInts(Ints v, std::size_t n) {
    const __m256i addend = _mm256_set1_epi32(static_cast<int>(n));
    return {_mm256_add_epi32(v.low, addend), _mm256_add_epi32(v.high, addend)};
  }
  static void KeepGreater(Floats scores, Ints indexes, Floats* best, Ints* best_indexes) {
    KeepGreater8(scores.low, indexes.low, &best->low, &best_indexes->low);
    KeepGreater8(scores.high, indexes.high, &best->high, &best_indexes->high);
  }
  static void KeepGreater8(__m256 scores, __m256i indexes, __m256* best, __m256i* best_indexes) {
    const __m256 greater = _mm256_cmp_ps(scores, *best, _CMP_GT_OQ);
    *best = _mm256_max_ps(scores, *best);  // The second of equals, and if one is not a number.
    *best_indexes = _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(*best_indexes),
                                                         _mm256_castsi256_ps(indexes), greater));
  }
  static Floats Mul(Floats a, Floats b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  static Floats Max(Floats a, Floats b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
  }
  /// The greatest, in all lanes.
  static __m256 Greatest(Floats v) {
    __m256 max = _mm256_max_ps(v.low, v.high);
    max = _mm256_max_ps(max, _mm256_permute2f128_ps(max, max, 1));
    max = _mm256_max_ps(max, _mm256_permute_ps(max, 0x4e));
    return _mm256_max_ps(max, _mm256_permute_ps(max, 0xb1));
  }
  static float ReduceMax(Floats v) { return _mm256_cvtss_f32(Greatest(v)); }
  static void StoreBytes(std::uint8_t* p, Floats v) {
    // Packing works within 128 bits, so the numbers 4 .. 7 and 8 .. 11 change places.
    const __m256i words =
        _mm256_packs_epi32(_mm256_cvttps_epi32(v.low), _mm256_cvttps_epi32(v.high));
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(p),
        _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
  }
  static std::uint32_t ArgMax(Floats scores, Ints indexes, float* score) {
    const __m256 max = Greatest(scores);
    *score = _mm256_cvtss_f32(max);
    // Indexes of lesser scores become the greatest unsigned number.
    const __m256i low = _mm256_castps_si256(_mm256_cmp_ps(scores.low, max, _CMP_NEQ_UQ));
    const __m256i high = _mm256_castps_si256(_mm256_cmp_ps(scores.high, max, _CMP_NEQ_UQ));
    const __m256i eight =
        _mm256_min_epu32(_mm256_or_si256(indexes.low, low), _mm256_or_si256(indexes.high, high));
    __m128i min = _mm_min_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    min = _mm_min_epu32(min, _mm_shuffle_epi32(min, 0x4e));
    min = _mm_min_epu32(min, _mm_shuffle_epi32(min, 0xb1));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(min));
  }
  static float ReduceTree(Floats v) { return ReduceTree8(_mm256_add_ps(v.low, v.high)); }
  static Ints SetInts(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static void StoreInts(std::int32_t* p, Ints v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), v.high);
  }
  static std::uint32_t FirstEqual(Floats a, Floats b) {
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ));
    const auto equal = static_cast<std::uint32_t>(low | high << 8);
    return static_cast<std::uint32_t>(__builtin_ctz(equal | 1U << kPackLanes)) % kPackLanes;
  }
  static Ints LoadInts(const std::int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
  }
  static Ints MultiplyAddPairs(Ints a, Ints b, Ints acc) {
    return {_mm256_add_epi32(_mm256_madd_epi16(a.low, b.low), acc.low),
            _mm256_add_epi32(_mm256_madd_epi16(a.high, b.high), acc.high)};
  }
  static Floats ToFloats(Ints v) { return {_mm256_cvtepi32_ps(v.low), _mm256_cvtepi32_ps(v.high)}; }
  static Floats Min(Floats a, Floats b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
  }
  static void StoreWords(std::int16_t* p, Floats v) {
    // Packing works within 128 bits, so the numbers 4 .. 7 and 8 .. 11 change places.
    const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(v.low), _mm256_cvtps_epi32(v.high));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(words, 0xd8));
  }
  static Floats SelectEqual(Ints v, std::uint32_t n, Floats a, Floats b) {
    const __m256i wanted = _mm256_set1_epi32(static_cast<int>(n));
    const __m256i low = _mm256_cmpeq_epi32(v.low, wanted);
    const __m256i high = _mm256_cmpeq_epi32(v.high, wanted);
    return {_mm256_blendv_ps(b.low, a.low, _mm256_castsi256_ps(low)),
            _mm256_blendv_ps(b.high, a.high, _mm256_castsi256_ps(high))};
  }
  static std::uint16_t NotGreater(Floats a, Floats b) {
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_NGT_UQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_NGT_UQ));
    return static_cast<std::uint16_t>(low | high << 8);
  }
};

/// 32 byte lanes: B of scan.inl.h.
struct B {
  using Bytes = __m256i;
  using Table = __m256i;
  static constexpr std::size_t kLanes = 32;

  static Bytes Zero() { return _mm256_setzero_si256(); }
  static Bytes Load(const std::uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static Bytes LoadFirst(std::size_t n, const std::uint8_t* p) {
    if (n >= kLanes) {
      return Load(p);
    }
    // Masked loads take whole groups of four bytes; the others come one by one.
    const __m256i fours = _mm256_set1_epi32(static_cast<int>(n / 4));
    const __m256i numbers = V::LaneNumbers().low;
    std::uint32_t rest = 0;
    for (std::size_t i = n / 4 * 4; i < n; ++i) {
      rest |= std::uint32_t{p[i]} << (i % 4 * 8);
    }
    const __m256i whole =
        _mm256_maskload_epi32(reinterpret_cast<const int*>(p), _mm256_cmpgt_epi32(fours, numbers));
    return _mm256_or_si256(whole, _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(rest)),
                                                   _mm256_cmpeq_epi32(fours, numbers)));
  }
  static Bytes Add8(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
  static Bytes Add16(Bytes a, Bytes b) { return _mm256_add_epi16(a, b); }
  static Bytes AddSaturated16(Bytes a, Bytes b) { return _mm256_adds_epu16(a, b); }
  static Bytes High8(Bytes a) { return _mm256_srli_epi16(a, 8); }
  static Bytes SubHigh8(Bytes a, Bytes b) { return _mm256_sub_epi16(a, _mm256_slli_epi16(b, 8)); }
  static Table LoadTable16(const std::uint8_t* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Bytes FindLow(Table table, Bytes codes) {
    return _mm256_shuffle_epi8(table, _mm256_and_si256(codes, _mm256_set1_epi8(15)));
  }
  static Bytes FindHigh(Table table, Bytes codes) {
    return FindLow(table, _mm256_srli_epi16(codes, 4));
  }

  static V::Floats Steps(Bytes even, Bytes odd, std::size_t q) {
    const __m256i low = _mm256_unpacklo_epi16(even, odd);  // Lanes 0..7 and 16..23.
    const __m256i high = _mm256_unpackhi_epi16(even, odd);
    return {Steps8(Half(low, q)), Steps8(Half(high, q))};
  }
  static __m128i Half(__m256i v, std::size_t q) {
    return q == 0 ? _mm256_castsi256_si128(v) : _mm256_extracti128_si256(v, 1);
  }
  static __m256 Steps8(__m128i words) { return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words)); }

  static std::size_t Append(std::uint64_t lanes, std::size_t first, const float* bounds,
                            const ScanOutput& out) {
    std::size_t count = 0;
    for (; lanes != 0; lanes &= lanes - 1) {
      const auto lane = static_cast<std::uint32_t>(__builtin_ctzll(lanes));
      out.lanes[count] = static_cast<std::uint32_t>(first) + lane;
      out.bounds[count++] = bounds[lane];
    }
    return count;
  }
};

/// 256 entries as 16 slices of 16: a byte shuffle on the low four bits of the code finds a
/// candidate in each slice, and the high four bits, one by one, choose among the candidates.
struct Entries {
  const std::uint8_t* table;

  explicit Entries(const std::uint8_t* entries) : table(entries) {}

  [[nodiscard]] __m256i Find(__m256i codes) const {
    const __m256i top = _mm256_set1_epi8(static_cast<char>(0x80));
    const __m256i low = _mm256_and_si256(codes, _mm256_set1_epi8(15));
    const __m256i bit4 = _mm256_and_si256(_mm256_slli_epi16(codes, 3), top);
    const __m256i even = _mm256_or_si256(low, bit4);
    const Index index{even,
                      _mm256_xor_si256(even, top),
                      {_mm256_slli_epi16(codes, 2), _mm256_slli_epi16(codes, 1), codes}};
    return Choose<3>(table, index);
  }

  /// A shuffle gives zero where the index has its top bit set. `even` has it set where bit 4 of
  /// the code is, so there it finds nothing in the slices of even number; `odd` the other way
  /// round. A blend, too, looks at top bits: `bits` has bits 5, 6 and 7 of the code there.
  struct Index {
    __m256i even;
    __m256i odd;
    __m256i bits[3];
  };

  /// The entry, among 2^kBits pairs of slices.
  template <int kBits>
  static __m256i Choose(const std::uint8_t* slices, const Index& index) {
    if constexpr (kBits == 0) {
      return _mm256_or_si256(_mm256_shuffle_epi8(B::LoadTable16(slices), index.even),
                             _mm256_shuffle_epi8(B::LoadTable16(slices + 16), index.odd));
    } else {
      constexpr std::size_t kHalf = std::size_t{32} << (kBits - 1);
      return _mm256_blendv_epi8(Choose<kBits - 1>(slices, index),
                                Choose<kBits - 1>(slices + kHalf, index), index.bits[kBits - 1]);
    }
  }
};

constexpr auto kNearest = Nearest<V, Tile<6, 1>, Tile<2, 2>, Tile<1, 4>>;

}  // namespace

const Kernels kAvx2Kernels = {
    .name = "avx2",
    .nearest = kNearest,
    .nearest_screened = NearestScreened<V, kNearest, Tile<4, 1>, Tile<2, 2>, Tile<1, 4>>,
    .packed_l2 = PackedDistances<V, true, Tile<2, 2>, Tile<1, 4>>,
    .packed_dot = PackedDistances<V, false, Tile<2, 2>, Tile<1, 4>>,
    .l2 = L2<V>,
    .dot = Dot<V>,
    .residual_term = ResidualTerm<V>,
    .min_max = MinMax<V>,
    .quantize = Quantize<V>,
    .keep_least = KeepLeast,
    .test_bits = TestBits,
    .scan_8bit = Scan8Bit<V, B, Entries, 1>,
    .scan_4bit = Scan4Bit<V, B, 2>,
    .adc_8bit = Adc<8>,
    .adc_4bit = Adc<4>,
};

}  // namespace forebay::simd
