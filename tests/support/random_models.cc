#include "support/random_models.h"

#include <algorithm>
#include <cmath>

#include "support/results.h"

namespace forebay::testing {
namespace {

/// 2 to a power in [-most, most].
float RandomScale(int most, Rng* random) {
  const auto steps = static_cast<std::size_t>(2 * most + 1);
  return std::ldexp(1.0F, static_cast<int>(random->Below(steps)) - most);
}

std::vector<float> RandomVector(Values values, std::size_t dim, Rng* random) {
  std::vector<float> vector(dim);
  const float row_scale = RandomScale(30, random);
  for (float& x : vector) {
    switch (values) {
      case Values::kSmallIntegers:
      case Values::kFewDistinct:
        x = static_cast<float>(random->Below(5)) - 2.0F;
        break;
      case Values::kMixedScale:
        x = Gaussian(random) * row_scale * RandomScale(8, random);
        break;
      case Values::kTiny:
        x = Gaussian(random) * 0x1p-70F;
        break;
      case Values::kGaussian:
      case Values::kLong:
        x = Gaussian(random);
    }
  }
  if (values == Values::kLong) {
    double squared_norm = 0;
    for (const float x : vector) {
      squared_norm += static_cast<double>(x) * static_cast<double>(x);
    }
    const double scale = 0x1.FFF0p+61 / std::sqrt(squared_norm + 1e-30);
    for (float& x : vector) {
      x = static_cast<float>(static_cast<double>(x) * scale);
    }
  }
  return vector;
}

IvfPqModel TrainedModel(const ModelSpec& spec, Rng* random) {
  const std::size_t num_rows = std::max<std::size_t>(spec.num_partitions, 1U << spec.num_bits) + 20;
  // Means of the longest vectors can be too long together, and tiny ones are bad under cosine.
  const bool extreme = spec.values == Values::kLong || spec.values == Values::kTiny;
  auto vectors =
      RandomVectors(extreme ? Values::kGaussian : spec.values, num_rows, spec.dim(), random);
  for (std::size_t i = 0; i < vectors.size(); i += spec.dim()) {
    vectors[i] += vectors[i] == 0.0F ? 1.0F : 0.0F;  // No zero vectors.
  }
  return Value(
      Train({vectors.data(), num_rows, spec.dim()}, {.num_partitions = spec.num_partitions,
                                                     .num_sub_vectors = spec.num_sub_vectors,
                                                     .num_bits = spec.num_bits,
                                                     .metric = spec.metric,
                                                     .residual = spec.residual,
                                                     .max_iters = 4,
                                                     .pq_max_iters = 4,
                                                     .seed = spec.seed}));
}

}  // namespace

float Gaussian(Rng* random) {
  float sum = 0;
  for (int i = 0; i < 4; ++i) {  // Uniform numbers on an interval of length 3^.5.
    sum += random->Uniform(-0.866F, 0.866F);
  }
  return sum;
}

std::vector<float> RandomVectors(Values values, std::size_t n, std::size_t dim, Rng* random) {
  constexpr std::size_t kDistinct = 5;
  std::vector<float> vectors;
  vectors.reserve(n * dim);
  for (std::size_t i = 0; i < n; ++i) {
    if (values == Values::kFewDistinct && i >= kDistinct) {
      const std::size_t same = random->Below(kDistinct) * dim;
      vectors.resize(vectors.size() + dim);
      std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(same), dim,
                  vectors.end() - static_cast<std::ptrdiff_t>(dim));
      continue;
    }
    const std::vector<float> vector = RandomVector(values, dim, random);
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }
  return vectors;
}

IvfPqModel MakeModel(const ModelSpec& spec) {
  Rng random(spec.seed);
  if (spec.trained) {
    return TrainedModel(spec, &random);
  }
  const auto centroids = RandomVectors(spec.values, spec.num_partitions, spec.dim(), &random);
  const std::size_t num_codewords = spec.num_sub_vectors << spec.num_bits;
  auto codebook = RandomVectors(spec.values, num_codewords, spec.sub_dim, &random);
  if (spec.values == Values::kLong) {  // The longest codewords together make the longest vector.
    const float share = 1.0F / std::sqrt(static_cast<float>(spec.num_sub_vectors));
    for (float& x : codebook) {
      x *= share * 0.999F;
    }
  }
  return Value(IvfPqModel::Create(
      spec.metric, Value(IvfModel::Create({centroids.data(), spec.num_partitions, spec.dim()})),
      Value(ProductQuantizer::Create(spec.dim(), spec.num_sub_vectors, spec.num_bits, codebook)),
      spec.residual));
}

}  // namespace forebay::testing
