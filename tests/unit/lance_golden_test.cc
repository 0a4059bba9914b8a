// Our partitions and codes against those that Lance itself stored for the same vectors and models
// (tests/golden/README.md). They are equal but where two choices are closer to each other than
// float32 can tell: 1e-5 of the sum of the absolute terms, computed here in float64.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "forebay/index.h"
#include "support/npz.h"
#include "support/results.h"

namespace forebay {
namespace {

using forebay::testing::NpyArray;
using forebay::testing::NpzFile;
using forebay::testing::Value;

constexpr double kTolerance = 1e-5;

struct Golden {
  const char* name;
  Metric metric;
  unsigned num_bits;
};

/// One file, and Lance's choices in it.
struct Case {
  explicit Case(const Golden& golden)
      : metric(golden.metric),
        vectors(Open("lance_vectors").Read<float>("vectors")),
        centroids(Open(golden.name).Read<float>("centroids")),
        codebook(Open(golden.name).Read<float>("codebook")),
        partitions(Open(golden.name).Read<std::uint32_t>("partitions")),
        codes(Open(golden.name).Read<std::uint8_t>("codes")),
        model(Value(IvfPqModel::Create(
            metric, Value(IvfModel::Create({centroids.data.data(), centroids.shape[0], dim()})),
            Value(
                ProductQuantizer::Create(dim(), codebook.shape[0], golden.num_bits, codebook.data)),
            metric != Metric::kDot))) {}

  static NpzFile Open(const std::string& name) {
    return NpzFile(std::string(FOREBAY_TESTS_DIR) + "/golden/" + name + ".npz");
  }

  [[nodiscard]] std::size_t num_rows() const { return vectors.shape[0]; }
  [[nodiscard]] std::size_t dim() const { return vectors.shape[1]; }
  [[nodiscard]] std::size_t code_len() const { return codes.shape[1]; }

  Metric metric;
  NpyArray<float> vectors;
  NpyArray<float> centroids;
  NpyArray<float> codebook;
  NpyArray<std::uint32_t> partitions;
  NpyArray<std::uint8_t> codes;
  IvfPqModel model;
};

/// What is minimised, and the sum of its absolute terms.
struct Cost {
  double value = 0;
  double magnitude = 0;
};

Cost L2(const std::vector<double>& x, std::size_t first, const float* y, std::size_t n) {
  Cost cost;
  for (std::size_t d = 0; d < n; ++d) {
    const double a = x[first + d];
    const auto b = static_cast<double>(y[d]);
    cost.value += (a - b) * (a - b);
    cost.magnitude += a * a + 2 * std::abs(a * b) + b * b;
  }
  return cost;
}

Cost NegatedDot(const std::vector<double>& x, const float* y, std::size_t n) {
  Cost cost;
  for (std::size_t d = 0; d < n; ++d) {
    const double product = x[d] * static_cast<double>(y[d]);
    cost.value -= product;
    cost.magnitude += std::abs(product);
  }
  return cost;
}

/// Whether float32 may well choose the one or the other.
bool TooClose(const Cost& a, const Cost& b) {
  return std::abs(a.value - b.value) <= kTolerance * std::max(a.magnitude, b.magnitude);
}

/// Row i as it is indexed, in float64.
std::vector<double> Prepared(const Case& golden, std::size_t i) {
  const float* row = golden.vectors.data.data() + i * golden.dim();
  std::vector<double> x(row, row + golden.dim());
  if (golden.metric == Metric::kCosine) {
    double squared_norm = 0;
    for (const double element : x) {
      squared_norm += element * element;
    }
    for (double& element : x) {
      element /= std::sqrt(squared_norm);
    }
  }
  return x;
}

bool PartitionsTooClose(const Case& golden, std::size_t i, std::uint32_t a, std::uint32_t b) {
  const std::vector<double> x = Prepared(golden, i);
  const auto cost = [&](std::uint32_t p) {
    const float* centroid = golden.centroids.data.data() + p * golden.dim();
    return golden.metric == Metric::kDot ? NegatedDot(x, centroid, golden.dim())
                                         : L2(x, 0, centroid, golden.dim());
  };
  return TooClose(cost(a), cost(b));
}

unsigned CodeOf(const ProductQuantizer& pq, const std::uint8_t* code, std::size_t m) {
  return pq.num_bits() == 8 ? code[m] : (code[m / 2] >> (m % 2 * 4)) & 15U;
}

bool CodewordsTooClose(const Case& golden, std::size_t i, std::size_t m, unsigned a, unsigned b) {
  std::vector<double> x = Prepared(golden, i);
  if (golden.model.residual()) {
    for (std::size_t d = 0; d < golden.dim(); ++d) {
      x[d] -=
          static_cast<double>(golden.centroids.data[golden.partitions.data[i] * golden.dim() + d]);
    }
  }
  const std::size_t sub_dim = golden.dim() / golden.model.pq().num_sub_vectors();
  const auto cost = [&](unsigned codeword) {
    const std::size_t row = m * golden.model.pq().num_codewords() + codeword;
    return L2(x, m * sub_dim, golden.codebook.data.data() + row * sub_dim, sub_dim);
  };
  return TooClose(cost(a), cost(b));
}

class LanceGoldenTest : public ::testing::TestWithParam<Golden> {};

INSTANTIATE_TEST_SUITE_P(Files, LanceGoldenTest,
                         ::testing::Values(Golden{"lance_l2_8", Metric::kL2, 8},
                                           Golden{"lance_cosine_8", Metric::kCosine, 8},
                                           Golden{"lance_dot_8", Metric::kDot, 8},
                                           Golden{"lance_dot_8_given", Metric::kDot, 8},
                                           Golden{"lance_l2_4", Metric::kL2, 4},
                                           Golden{"lance_cosine_4", Metric::kCosine, 4}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(LanceGoldenTest, OurPartitionsAndCodesAreLances) {
  const Case golden(GetParam());
  ASSERT_EQ(golden.num_rows(), 2048U);
  ASSERT_EQ(golden.partitions.data.size(), golden.num_rows());
  ASSERT_EQ(golden.code_len(), golden.model.pq().code_len());
  auto index = Value(IvfPqMemIndex::Create(golden.model, {.capacity = 100}));
  const VectorBatch batch{.vectors = {golden.vectors.data.data(), golden.num_rows(), golden.dim()}};
  ASSERT_EQ(Value(index.InsertBatches({&batch, 1}, 2)).num_inserted, golden.num_rows());

  std::size_t num_rows = 0;
  std::size_t exceptions = 0;
  for (std::uint32_t p = 0; p < index.num_partitions(); ++p) {
    const PartitionEntries entries = index.partition(p);
    num_rows += entries.row_positions.size();
    for (std::size_t j = 0; j < entries.row_positions.size(); ++j) {
      const std::size_t i = entries.row_positions[j];
      if (golden.partitions.data[i] != p) {
        ++exceptions;
        EXPECT_TRUE(PartitionsTooClose(golden, i, golden.partitions.data[i], p))
            << "row " << i << " is in partition " << p << ", Lance's " << golden.partitions.data[i];
        continue;  // The codes are of different residuals.
      }
      for (std::size_t m = 0; m < golden.model.pq().num_sub_vectors(); ++m) {
        const unsigned ours =
            CodeOf(golden.model.pq(), entries.codes.data() + j * golden.code_len(), m);
        const unsigned lances =
            CodeOf(golden.model.pq(), golden.codes.data.data() + i * golden.code_len(), m);
        if (ours != lances) {
          ++exceptions;
          EXPECT_TRUE(CodewordsTooClose(golden, i, m, ours, lances))
              << "row " << i << ", sub-vector " << m << ": " << ours << ", Lance's " << lances;
        }
      }
    }
  }
  EXPECT_EQ(num_rows, golden.num_rows());
  EXPECT_LE(exceptions, 5U);  // Of 2,048 partitions and 16,384 codes.
  RecordProperty("exceptions", static_cast<int>(exceptions));
}

TEST_P(LanceGoldenTest, TheModelRoundTripsThroughItsFile) {
  const Case golden(GetParam());
  const IvfPqModel read = Value(IvfPqModel::Parse(golden.model.Serialize()));
  EXPECT_EQ(read.fingerprint(), golden.model.fingerprint());
}

}  // namespace
}  // namespace forebay
