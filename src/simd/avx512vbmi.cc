// AVX-512 VBMI besides F, BW, DQ and VL: Intel since 2019, AMD since 2022.
#include "simd/avx512.inl.h"

namespace forebay::simd {

extern const Kernels kAvx512vbmiKernels;

namespace {

/// A byte lookup takes the lowest six bits. With the same 16 entries four times in the table, two
/// of them say nothing, so the other half of the code need not be cleared.
struct VbmiLanes : B {
  static Bytes FindLow(Table table, Bytes codes) { return _mm512_permutexvar_epi8(codes, table); }
  static Bytes FindHigh(Table table, Bytes codes) {
    return FindLow(table, _mm512_srli_epi16(codes, 4));
  }
};

/// 256 entries in four registers: a byte lookup finds one of 128, bit 7 of the code tells in which
/// half.
struct Entries {
  __m512i bytes[4];

  explicit Entries(const std::uint8_t* table) {
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[i] = _mm512_loadu_si512(table + i * 64);
    }
  }

  [[nodiscard]] __m512i Find(__m512i codes) const {
    const __m512i low = _mm512_permutex2var_epi8(bytes[0], codes, bytes[1]);
    const __m512i high = _mm512_permutex2var_epi8(bytes[2], codes, bytes[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(codes), high);
  }
};

}  // namespace

constinit const Kernels kAvx512vbmiKernels = Avx512Kernels<VbmiLanes, Entries>("avx512vbmi");

}  // namespace forebay::simd
