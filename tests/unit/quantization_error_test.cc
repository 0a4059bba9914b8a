// QuantizationError: against plain loops over the codes that NaiveIndex chooses.
#include "model/quantization_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "support/naive_index.h"
#include "support/random_models.h"

namespace forebay::testing {
namespace {

class QuantizationErrorTest : public ::testing::TestWithParam<ModelSpec> {};

/// As it is encoded.
std::vector<double> Prepared(const IvfPqModel& model, const float* row) {
  std::vector<double> prepared(row, row + model.dim());
  double norm = 0;
  for (const double element : prepared) {
    norm += element * element;
  }
  for (double& element : prepared) {
    element /= model.metric() == Metric::kCosine ? std::sqrt(norm) : 1;
  }
  return prepared;
}

double Element(const IvfPqModel& model, const NaiveIndex::Row& row, std::size_t i) {
  const std::size_t sub_dim = model.dim() / model.pq().num_sub_vectors();
  const std::size_t m = i / sub_dim;
  const std::size_t codeword = m * model.pq().num_codewords() + row.codewords[m];
  const float centroid = model.residual() ? model.ivf().centroids().row(row.partition)[i] : 0;
  return static_cast<double>(centroid) +
         static_cast<double>(model.pq().codebook()[codeword * sub_dim + i % sub_dim]);
}

TEST_P(QuantizationErrorTest, IsThatOfTheCodes) {
  const IvfPqModel model = MakeModel(GetParam());
  Rng random(7);
  for (const std::size_t num_rows : {0U, 1U, 256U, 700U}) {
    const auto rows = RandomVectors(Values::kGaussian, num_rows, model.dim(), &random);
    const VectorView view = {rows.data(), num_rows, model.dim()};
    NaiveIndex index(model, {});
    const VectorBatch batch = {.vectors = view};
    ASSERT_TRUE(index.Insert({&batch, 1}).ok());
    double sum = 0;
    for (std::size_t i = 0; i < num_rows; ++i) {
      const std::vector<double> prepared = Prepared(model, view.row(i));
      for (std::size_t j = 0; j < model.dim(); ++j) {
        sum += std::pow(prepared[j] - Element(model, index.rows()[i], j), 2);
      }
    }
    const double expected = num_rows == 0 ? 0 : sum / static_cast<double>(num_rows);
    EXPECT_NEAR(model::QuantizationError(model, view), expected, 1e-5 * expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, QuantizationErrorTest,
    ::testing::Values(
        ModelSpec{.metric = Metric::kL2, .residual = true, .num_partitions = 5, .sub_dim = 3},
        ModelSpec{.metric = Metric::kDot,
                  .residual = false,
                  .num_bits = 4,
                  .num_partitions = 3,
                  .num_sub_vectors = 4,
                  .sub_dim = 2},
        ModelSpec{.metric = Metric::kCosine,
                  .residual = true,
                  .num_bits = 4,
                  .num_partitions = 9,
                  .num_sub_vectors = 6,
                  .sub_dim = 4}),
    [](const auto& spec) { return std::string(MetricName(spec.param.metric)); });

}  // namespace
}  // namespace forebay::testing
