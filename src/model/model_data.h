// What the public model classes hold.
//
// Thread safety: immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "forebay/model.h"
#include "model/packed_matrix.h"
#include "model/screen.h"

namespace forebay {

struct IvfModel::Data {
  std::vector<float> centroids;  // [num_partitions][dim]
  std::size_t num_partitions = 0;
  std::size_t dim = 0;
};

struct ProductQuantizer::Data {
  std::vector<float> codebook;  // [num_sub_vectors][2^num_bits][dim / num_sub_vectors]
  std::size_t dim = 0;
  std::size_t num_sub_vectors = 0;
  unsigned num_bits = 8;

  [[nodiscard]] std::size_t num_codewords() const { return std::size_t{1} << num_bits; }
  /// 0 while nothing is set.
  [[nodiscard]] std::size_t sub_dim() const {
    return num_sub_vectors > 0 ? dim / num_sub_vectors : 0;
  }
  /// The codewords of one sub-vector.
  [[nodiscard]] VectorView codewords(std::size_t sub_vector) const {
    return {codebook.data() + sub_vector * num_codewords() * sub_dim(), num_codewords(), sub_dim()};
  }
};

struct IvfPqModel::Data {
  Metric metric;
  bool residual;
  IvfModel ivf;
  ProductQuantizer pq;
  std::uint64_t fingerprint = 0;
  model::PackedMatrix packed_centroids;
  std::optional<model::ScreenedMatrix> screened_centroids;
  std::vector<model::PackedMatrix> packed_codebook;  // One for each sub-vector.
  /// For residual models, what no vector term of a partition can exceed in magnitude.
  std::vector<float> max_vector_term;
};

}  // namespace forebay
