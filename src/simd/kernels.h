// The kernels: every inner loop whose floating-point arithmetic must be the same on every CPU.
//
// Thread safety: kernels are pure functions of their arguments.
//
// This header is compiled for several instruction sets, so it holds plain types only and includes
// nothing whose inline functions other files share. dispatch.h picks the kernels to use.
//
// Invariants (the canonical arithmetic; scalar.cc is the norm, every other level equals it bit for
// bit, and tests compare them):
//   1. Loops over outputs (packed rows): each output is its own chain of fused multiply-adds, in
//      the order of the dimensions. SIMD lanes are outputs.
//   2. Loops over one pair of vectors: 16 partial sums, element i in sum i % 16, added up by a
//      fixed tree: i with i + 8, then + 4, + 2, + 1.
//   3. ADC: (partition term + vector term), then + one table entry after the other. The bound of
//      a scan: delta x sum fused with the addition of (base + vector term).
//   4. Integer sums of quantized tables saturate at 65535.
//   5. Nothing beyond num_lanes is read from a block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forebay::simd {

/// Vectors per block of codes, and lanes per group of packed rows.
inline constexpr std::size_t kBlockLanes = 64;
inline constexpr std::size_t kPackLanes = 16;

/// Rows packed for kernels whose lanes are rows: [num_groups][dim][16], padded with zeros.
struct PackedRows {
  const float* data = nullptr;
  /// [num_groups][16], minus infinity in the padding.
  const float* biases = nullptr;
  std::size_t num_rows = 0;
  std::size_t dim = 0;

  [[nodiscard]] std::size_t num_groups() const { return (num_rows + kPackLanes - 1) / kPackLanes; }
};

/// Packed rows of at most this many dimensions can be screened.
inline constexpr std::size_t kMaxScreenDim = 2048;
/// What screening scales rows to. With what rounding adds to it, elements fit 16 bits, and inner
/// products (by Cauchy and Schwarz, those of the first dimensions too) 31 bits.
inline constexpr float kScreenNorm = 30000;
/// Rows of a lesser squared norm are not screened.
inline constexpr float kMinScreenSquaredNorm = 0x1p-80F;

/// Packed rows in 16 bits, from which most of the time can be told which one is the nearest.
struct Screen {
  /// [num_groups][(dim + 1) / 2][16]: two elements in each, the even one in the low half; a missing
  /// last one is 0. Element times step is about the packed row's.
  const std::int32_t* pairs = nullptr;
  float step = 0;
  /// Two scores of a row are in the order of their screened scores if these differ by more than
  /// margin + margin_per_norm x |row|.
  float margin = 0;
  float margin_per_norm = 0;
};

/// Vectors at a fixed distance (in floats) from each other.
struct StridedRows {
  const float* data = nullptr;
  std::size_t num_rows = 0;
  std::size_t stride = 0;
};

/// 64 lanes of codes, and what decides about them.
struct CodeBlock {
  /// [code byte][64]
  const std::uint8_t* codes = nullptr;
  /// [64], or nullptr: no vector has a term of its own.
  const float* terms = nullptr;
  /// The lanes that may survive a scan: a bit for each, the absent ones' being 0.
  std::uint64_t eligible = 0;
  /// Nothing is read of the lanes from here on.
  std::uint32_t num_lanes = 0;
  /// As much memory as the block's codes take, which a scan begins to load meanwhile: those of a
  /// block that is scanned later. nullptr: nothing.
  const std::uint8_t* ahead = nullptr;
  /// What the f32 distances begin with.
  float partition_term = 0;
  /// A lane is ruled out when base + term + delta x sum of its table entries is greater than limit.
  float base = 0;
  float limit = 0;
};

/// Blocks anywhere in memory, all with codes of the same length.
struct CodeBlocks {
  const CodeBlock* blocks = nullptr;
  std::size_t num_blocks = 0;
  std::size_t code_len = 0;
};

/// What a scan keeps: there is room for 64 lanes of each block and kPackLanes more.
struct ScanOutput {
  /// In ascending order, as block x 64 + lane.
  std::uint32_t* lanes = nullptr;
  /// The lower bound of each: base + term + delta x sum of its table entries.
  float* bounds = nullptr;
};

/// Numbers of which some are in the set: number + offset (modulo 2^64) is the bit's place, and
/// those from `size` on are out.
struct BitSet {
  const std::uint64_t* words = nullptr;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
};

/// The quantized table of a lower bound.
struct BoundTable {
  /// [num_sub_vectors][2^num_bits], each at most the true entry in steps of delta.
  const std::uint8_t* entries = nullptr;
  float delta = 0;
  /// No entry exceeds kMaxHalfEntry: scans are faster then, as two of them add up in a byte.
  bool halves = false;
};
inline constexpr std::uint8_t kMaxHalfEntry = 127;

struct Kernels {
  const char* name;

  /// For each row, the packed row with the greatest bias + <row, packed row>; the lowest index
  /// wins a tie. `scores` may be nullptr; a zero in it is +0.
  void (*nearest)(const PackedRows& packed, const StridedRows& rows, std::uint32_t* indexes,
                  float* scores);
  /// The same indexes, faster where there are many packed rows of many dimensions. `screen` is of
  /// `packed`.
  void (*nearest_screened)(const PackedRows& packed, const Screen& screen, const StridedRows& rows,
                           std::uint32_t* indexes);
  /// out[num_rows][num_groups x 16]: squared distances of each row to every packed row.
  void (*packed_l2)(const PackedRows& packed, const StridedRows& rows, float* out);
  /// The same for inner products.
  void (*packed_dot)(const PackedRows& packed, const StridedRows& rows, float* out);
  /// Sum of (a[i] - b[i])^2 over n dimensions.
  float (*l2)(const float* a, const float* b, std::size_t n);
  /// Sum of a[i] x b[i].
  float (*dot)(const float* a, const float* b, std::size_t n);
  /// |r|^2 + 2<c, r>, as the sum of r[i] x (2 c[i] + r[i]).
  float (*residual_term)(const float* r, const float* c, std::size_t n);

  /// The least and the greatest of n floats, n being a multiple of 16; a zero is +0.
  void (*min_max)(const float* values, std::size_t n, float* min, float* max);
  /// out[i] = (values[i] - min) x steps, cut to a whole number, but at most `most`; n is a multiple
  /// of 16, no value is below min, and `most` is a whole number below 256.
  void (*quantize)(const float* values, std::size_t n, float min, float steps, float most,
                   std::uint8_t* out);

  /// Keeps the keys that are at most `last`, in their order; returns how many. `out` has room for n
  /// and may be `keys` itself.
  std::size_t (*keep_least)(const std::uint64_t* keys, std::size_t n, std::uint64_t last,
                            std::uint64_t* out);

  /// Bit i says whether numbers[i] is in the set, for n <= 64 ascending numbers.
  std::uint64_t (*test_bits)(const BitSet& bits, const std::uint32_t* numbers, std::size_t n);

  /// Writes the lanes that the bound does not rule out, and returns how many; what stands behind
  /// the last one in `out` is undefined then.
  std::size_t (*scan_8bit)(const CodeBlocks& blocks, const BoundTable& table,
                           const ScanOutput& out);
  std::size_t (*scan_4bit)(const CodeBlocks& blocks, const BoundTable& table,
                           const ScanOutput& out);
  /// The f32 asymmetric distance of each of the num_lanes `lanes`, numbered like that. `entries`
  /// is [num_sub_vectors][2^num_bits].
  void (*adc_8bit)(const CodeBlocks& blocks, const float* entries, const std::uint32_t* lanes,
                   std::size_t num_lanes, float* out);
  void (*adc_4bit)(const CodeBlocks& blocks, const float* entries, const std::uint32_t* lanes,
                   std::size_t num_lanes, float* out);
};

}  // namespace forebay::simd
