// The trained half of an index: centroids, codebook, and what they were trained for.
//
// Thread safety: all three model classes are immutable handles over shared data. Copying one is
// cheap, and any number of threads may use the same one.
//
// Invariants:
//   1. Every float in a model is finite, and every squared norm is below kMaxSquaredNorm, so no
//      distance can overflow.
//   2. The codebook is [num_sub_vectors][2^num_bits][dim / num_sub_vectors]; num_bits is 4 or 8,
//      and with 4 bits num_sub_vectors is even.
//   3. A dot model is never residual.
//   4. The fingerprint depends on nothing but the model's content, and is equal on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "forebay/status.h"

namespace forebay {

/// Squared norms of vectors, centroids and codewords are below this, 2^124: then the terms of any
/// distance add up without overflow in float32.
inline constexpr float kMaxSquaredNorm = 0x1p124F;

/// How the distance between two vectors is measured. Smaller is nearer for all three.
enum class Metric : std::uint8_t {
  kL2 = 0,      ///< Squared Euclidean distance.
  kCosine = 1,  ///< 1 - cos(x, y).
  kDot = 2,     ///< 1 - x.y.
};

/// "l2", "cosine" or "dot".
std::string_view MetricName(Metric metric);
/// The metric of that name (lower case); kInvalidArgument for any other.
Result<Metric> ParseMetric(std::string_view name);

/// Rows of float32 that someone else owns: [num_rows][dim], row-major, without gaps.
struct VectorView {
  const float* data = nullptr;
  std::size_t num_rows = 0;
  std::size_t dim = 0;

  [[nodiscard]] const float* row(std::size_t i) const { return data + i * dim; }
};

/// The centroids: one for each partition.
class IvfModel {
 public:
  /// Copies `centroids` [num_partitions][dim]. kInvalidArgument when there are none, when dim is
  /// 0, or when one is NaN, infinite or too long.
  static Result<IvfModel> Create(VectorView centroids);

  [[nodiscard]] std::size_t num_partitions() const;
  [[nodiscard]] std::size_t dim() const;
  /// [num_partitions][dim]; lives as long as any copy of this model.
  [[nodiscard]] VectorView centroids() const;

  struct Data;
  [[nodiscard]] const Data& data() const { return *data_; }  // For src/ only.

 private:
  explicit IvfModel(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// The codebook: 2^num_bits codewords for each sub-vector.
class ProductQuantizer {
 public:
  /// Copies `codebook` [num_sub_vectors][2^num_bits][dim / num_sub_vectors]. kInvalidArgument
  /// when num_bits is neither 4 nor 8, dim % num_sub_vectors != 0, num_sub_vectors is odd with 4
  /// bits, the span has another length, or a codeword is NaN, infinite or too long.
  static Result<ProductQuantizer> Create(std::size_t dim, std::size_t num_sub_vectors,
                                         unsigned num_bits, std::span<const float> codebook);

  [[nodiscard]] std::size_t dim() const;
  [[nodiscard]] std::size_t num_sub_vectors() const;
  [[nodiscard]] unsigned num_bits() const;
  /// 2^num_bits.
  [[nodiscard]] std::size_t num_codewords() const;
  /// Bytes of one code: num_sub_vectors with 8 bits, half of that with 4 (two to a byte: sub-vector
  /// 2j in the low half, 2j+1 in the high half).
  [[nodiscard]] std::size_t code_len() const;
  /// [num_sub_vectors][num_codewords][dim / num_sub_vectors]; lives as long as any copy.
  [[nodiscard]] std::span<const float> codebook() const;

  struct Data;
  [[nodiscard]] const Data& data() const { return *data_; }  // For src/ only.

 private:
  explicit ProductQuantizer(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// What is written into model files, and what an index is made from.
class IvfPqModel {
 public:
  /// Puts together a model trained anywhere. `residual`: codes are of (vector - its centroid)
  /// instead of the vector itself. kInvalidArgument when the dimensions differ, or for residual
  /// with dot. Cosine models hold centroids and codebook of normalised vectors.
  static Result<IvfPqModel> Create(Metric metric, IvfModel ivf, ProductQuantizer pq, bool residual);

  /// Reads what Serialize wrote (docs/format.md). kCorruption says which part is truncated,
  /// altered or of another version.
  static Result<IvfPqModel> Parse(std::span<const std::byte> bytes);
  [[nodiscard]] std::vector<std::byte> Serialize() const;

  [[nodiscard]] Metric metric() const;
  [[nodiscard]] bool residual() const;
  [[nodiscard]] std::size_t dim() const { return ivf().dim(); }
  [[nodiscard]] const IvfModel& ivf() const;
  [[nodiscard]] const ProductQuantizer& pq() const;
  /// A 64-bit hash of metric, residual, shapes, centroids and codebook. Codes are
  /// interchangeable between two indexes exactly when their fingerprints are equal.
  [[nodiscard]] std::uint64_t fingerprint() const;

  struct Data;
  [[nodiscard]] const Data& data() const { return *data_; }  // For src/ only.

 private:
  explicit IvfPqModel(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// How far training has come: `done` of `total` steps. A step is one k-means iteration; steps
/// that an early stop leaves out count as done.
struct TrainProgress {
  std::string_view stage;  ///< "centroids" or "codebook".
  std::size_t done = 0;
  std::size_t total = 0;
};

struct TrainOptions {
  std::size_t num_partitions = 256;
  std::size_t num_sub_vectors = 16;
  unsigned num_bits = 8;  ///< 4 or 8.
  Metric metric = Metric::kL2;
  /// Default: true for L2 and cosine, false for dot.
  std::optional<bool> residual = std::nullopt;
  /// At most this many rows for each centroid or codeword are used, drawn without replacement.
  std::size_t sample_rate = 256;
  std::size_t max_iters = 25;     ///< Of the k-means for the centroids.
  std::size_t pq_max_iters = 25;  ///< Of the k-means for each sub-vector's codewords.
  std::uint64_t seed = 1;
  /// Any number gives the same model, bit for bit.
  std::size_t num_threads = 1;
  /// Called now and then, from one thread at a time; returning false stops the training with
  /// kCancelled. Must not throw.
  std::function<bool(const TrainProgress&)> progress = nullptr;
};

/// The power of two nearest to the square root of num_rows, the rows that will be indexed: a search
/// that probes a few tens of partitions then looks at a small part of the rows, and the centroids
/// cost no more than that.
std::size_t DefaultNumPartitions(std::size_t num_rows);

/// The number of sub-vectors that are as narrow as possible but have 4 dimensions (8 bits) or 2 (4
/// bits) at least and twice that at most, so that both make codes of about a byte for 4 dimensions;
/// where dim has no such divisor, the fewest sub-vectors narrower than that. Even with 4 bits.
/// num_bits is 4 or 8. kInvalidArgument when there is no such number: dimension 0, or an odd one
/// with 4 bits.
Result<std::size_t> DefaultNumSubVectors(std::size_t dim, unsigned num_bits);

/// Trains a model on `vectors`. kInvalidArgument when there are fewer rows than partitions or
/// codewords, dim % num_sub_vectors != 0, num_sub_vectors is odd with 4 bits, residual is asked
/// for with dot, or a row is NaN, infinite, too long, or zero under cosine (the message names the
/// row), or when the codewords come out too long together for IvfPqModel::Create. The model depends
/// on the vectors and the options only, not on CPU or threads.
Result<IvfPqModel> Train(VectorView vectors, const TrainOptions& options);

}  // namespace forebay
