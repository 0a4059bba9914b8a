// Seeded vectors and models, the same on every machine: the standard engines are specified bit for
// bit, the standard distributions are not, so none is used.
//
// Thread safety: pure functions of their arguments; an Rng belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

#include "forebay/model.h"

namespace forebay::testing {

/// To loop over.
using Sizes = std::initializer_list<std::size_t>;

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t Next() { return engine_(); }
  /// A number below n.
  std::size_t Below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  /// A float in [low, high).
  float Uniform(float low, float high) {
    return low + (high - low) * (static_cast<float>(engine_() >> 40U) * 0x1p-24F);
  }
  bool Chance(double probability) {
    return static_cast<double>(engine_() >> 11U) * 0x1p-53 < probability;
  }

  template <typename T>
  void Shuffle(std::vector<T>* values) {
    for (std::size_t i = values->size(); i > 1; --i) {
      std::swap((*values)[i - 1], (*values)[Below(i)]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

/// Rows of floats that know their dimension.
struct Vectors {
  std::size_t dim = 0;
  std::vector<float> data = {};

  [[nodiscard]] std::size_t num_rows() const { return data.size() / dim; }
  [[nodiscard]] VectorView view() const { return {data.data(), num_rows(), dim}; }
  [[nodiscard]] const float* row(std::size_t i) const { return data.data() + i * dim; }
  [[nodiscard]] float* row(std::size_t i) { return data.data() + i * dim; }
  /// The rows [begin, begin + count), borrowed.
  [[nodiscard]] VectorView rows(std::size_t begin, std::size_t count) const {
    return {row(begin), count, dim};
  }
};

/// Elements in [-1, 1).
Vectors RandomVectors(std::size_t num_rows, std::size_t dim, std::uint64_t seed);

/// Rows around num_clusters centres in [-1, 1)^dim, row i at centre i % num_clusters, at most
/// `spread` from it in every dimension.
Vectors ClusteredVectors(std::size_t num_rows, std::size_t dim, std::size_t num_clusters,
                         float spread, std::uint64_t seed);

struct ModelShape {
  Metric metric = Metric::kL2;
  bool residual = true;
  unsigned num_bits = 4;
  std::size_t num_partitions = 4;
  std::size_t dim = 8;
  std::size_t num_sub_vectors = 4;
  std::uint64_t seed = 1;
};

/// An untrained model: random centroids and codewords (under cosine the centroids have length 1).
IvfPqModel RandomModel(const ModelShape& shape);

}  // namespace forebay::testing
