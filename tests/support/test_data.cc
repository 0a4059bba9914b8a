#include "support/test_data.h"

#include <cmath>

#include "support/results.h"

namespace forebay::testing {

Vectors RandomVectors(std::size_t num_rows, std::size_t dim, std::uint64_t seed) {
  Rng rng(seed);
  Vectors vectors{.dim = dim, .data = std::vector<float>(num_rows * dim)};
  for (float& x : vectors.data) {
    x = rng.Uniform(-1, 1);
  }
  return vectors;
}

Vectors ClusteredVectors(std::size_t num_rows, std::size_t dim, std::size_t num_clusters,
                         float spread, std::uint64_t seed) {
  const Vectors centres = RandomVectors(num_clusters, dim, seed);
  Vectors vectors = RandomVectors(num_rows, dim, seed + 1);
  for (std::size_t i = 0; i < num_rows; ++i) {
    for (std::size_t d = 0; d < dim; ++d) {
      vectors.row(i)[d] = vectors.row(i)[d] * spread + centres.row(i % num_clusters)[d];
    }
  }
  return vectors;
}

IvfPqModel RandomModel(const ModelShape& shape) {
  Vectors centroids = RandomVectors(shape.num_partitions, shape.dim, shape.seed);
  if (shape.metric == Metric::kCosine) {
    for (std::size_t i = 0; i < centroids.num_rows(); ++i) {
      float squared_norm = 0;
      for (std::size_t d = 0; d < shape.dim; ++d) {
        squared_norm += centroids.row(i)[d] * centroids.row(i)[d];
      }
      for (std::size_t d = 0; d < shape.dim; ++d) {
        centroids.row(i)[d] /= std::sqrt(squared_norm);
      }
    }
  }
  const Vectors codebook =
      RandomVectors(std::size_t{1} << shape.num_bits, shape.dim, shape.seed + 1);
  return Value(IvfPqModel::Create(shape.metric, Value(IvfModel::Create(centroids.view())),
                                  Value(ProductQuantizer::Create(shape.dim, shape.num_sub_vectors,
                                                                 shape.num_bits, codebook.data)),
                                  shape.residual));
}

}  // namespace forebay::testing
