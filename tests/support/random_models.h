// Models and vectors made to find faults: trained ones, and ones that no training would give.
//
// Thread safety: an Rng belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "forebay/model.h"
#include "support/test_data.h"

namespace forebay::testing {

/// A number of mean 0 and deviation 1, about bell-shaped, less than 3.5 from 0.
float Gaussian(Rng* random);

enum class Values {
  kGaussian,
  kSmallIntegers,  ///< -2 .. 2: distances are exact and often equal.
  kFewDistinct,    ///< Each vector many times.
  kMixedScale,     ///< Vectors, and elements of one vector, differ by powers of two.
  kLong,           ///< Squared norms just below kMaxSquaredNorm.
  kTiny,           ///< Squared norms underflow; bad vectors under cosine.
};

/// [n][dim]
std::vector<float> RandomVectors(Values values, std::size_t n, std::size_t dim, Rng* random);

struct ModelSpec {
  Metric metric = Metric::kL2;
  bool residual = true;
  unsigned num_bits = 8;
  bool trained = false;               ///< By Train on such values, instead of drawn at random.
  Values values = Values::kGaussian;  ///< Of centroids and codewords.
  std::size_t num_partitions = 1;
  std::size_t num_sub_vectors = 2;  ///< Even with 4 bits.
  std::size_t sub_dim = 1;
  std::uint64_t seed = 0;

  [[nodiscard]] std::size_t dim() const { return num_sub_vectors * sub_dim; }
};

/// Throws std::runtime_error when the spec is no good.
IvfPqModel MakeModel(const ModelSpec& spec);

}  // namespace forebay::testing
