// AVX-512 F, BW, DQ and VL: Intel since 2017, AMD since 2022.
#include "simd/avx512.inl.h"

namespace forebay::simd {

extern const Kernels kAvx512bwKernels;

namespace {

/// 256 entries as 128 words in four registers. A word lookup on code / 2 finds a pair of entries,
/// code % 2 tells which of them. Codes are words, too: those of even lanes, and of odd ones.
struct Entries {
  __m512i words[4];

  explicit Entries(const std::uint8_t* table) {
    for (std::size_t i = 0; i < 4; ++i) {
      words[i] = _mm512_loadu_si512(table + i * 64);
    }
  }

  /// The pairs of entries of indexes (of which the lookup takes the lowest six bits) in the lower
  /// or, where `upper`, the upper half of the table.
  [[nodiscard]] __m512i Pairs(__m512i index, __mmask32 upper) const {
    const __m512i low = _mm512_permutex2var_epi16(words[0], index, words[1]);
    const __m512i high = _mm512_permutex2var_epi16(words[2], index, words[3]);
    return _mm512_mask_mov_epi16(low, upper, high);
  }

  [[nodiscard]] __m512i Find(__m512i codes) const {
    const auto bit = [codes](int i) {
      return _mm512_test_epi16_mask(codes, _mm512_set1_epi16(static_cast<short>(1 << i)));
    };
    const __m512i even = Pairs(_mm512_srli_epi16(codes, 1), bit(7));
    const __m512i odd = Pairs(_mm512_srli_epi16(codes, 9), _mm512_movepi16_mask(codes));
    // An even lane's entry belongs into the low byte of its word, an odd one's into the high byte.
    const __m512i in_low = _mm512_mask_srli_epi16(even, bit(0), even, 8);
    const __m512i in_high = _mm512_mask_slli_epi16(odd, ~bit(8), odd, 8);
    return _mm512_mask_mov_epi8(in_low, 0xaaaaaaaaaaaaaaaa, in_high);
  }
};

}  // namespace

constinit const Kernels kAvx512bwKernels = Avx512Kernels<B, Entries>("avx512bw");

}  // namespace forebay::simd
