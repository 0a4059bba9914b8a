// The model classes: what they hold and what they refuse.
#include "forebay/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "support/results.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::IsInvalid;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Sizes;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::ElementsAreArray;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct BadElement {
  float element;
  const char* part;
};
constexpr BadElement kBadElements[] = {
    {std::numeric_limits<float>::quiet_NaN(), "has NaN or an infinite element"},
    {kInfinity, "has NaN or an infinite element"},
    {-kInfinity, "has NaN or an infinite element"},
    {0x1p62F, "is too long: its squared norm overflows (2^124 or more)"},
    {std::numeric_limits<float>::max(), "is too long"},
};

TEST(MetricTest, NamesAndValuesBelongTogether) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    EXPECT_EQ(Value(ParseMetric(MetricName(metric))), metric);
  }
  for (const char* name : {"", "L2", "ip", "l2 ", "euclidean"}) {
    EXPECT_THAT(
        ParseMetric(name),
        IsInvalid(("no metric '" + std::string(name) + "'; use l2, cosine or dot").c_str()));
  }
}

TEST(IvfModelTest, KeepsACopyOfTheCentroids) {
  Vectors centroids = RandomVectors(5, 3, 1);
  const std::vector<float> before = centroids.data;
  const IvfModel model = Value(IvfModel::Create(centroids.view()));
  centroids.data.assign(15, 0.0F);
  EXPECT_EQ(model.num_partitions(), 5U);
  EXPECT_EQ(model.dim(), 3U);
  EXPECT_EQ(model.centroids().num_rows, 5U);
  EXPECT_EQ(model.centroids().dim, 3U);
  const IvfModel copy = model;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(copy.centroids().data, model.centroids().data);
  EXPECT_THAT(std::vector(model.centroids().row(0), model.centroids().row(5)),
              ElementsAreArray(before));
}

TEST(IvfModelTest, RefusesNoCentroids) {
  const float x = 0;
  EXPECT_THAT(IvfModel::Create({nullptr, 0, 3}), IsInvalid("both at least 1; got [0][3]"));
  EXPECT_THAT(IvfModel::Create({&x, 3, 0}), IsInvalid("both at least 1; got [3][0]"));
  EXPECT_THAT(IvfModel::Create({}), IsInvalid("got [0][0]"));
}

TEST(IvfModelTest, RefusesBadCentroids) {
  for (const BadElement& bad : kBadElements) {
    Vectors centroids = RandomVectors(5, 3, 1);
    centroids.row(4)[2] = bad.element;
    EXPECT_THAT(IvfModel::Create(centroids.view()),
                IsInvalid(("centroid 4 " + std::string(bad.part)).c_str()));
  }
  const Vectors zero{.dim = 3, .data = {0, 0, 0}};
  EXPECT_THAT(IvfModel::Create(zero.view()), Succeeds());
}

TEST(ProductQuantizerTest, KeepsACopyOfTheCodebook) {
  std::vector<float> codebook = RandomVectors(256, 6, 2).data;
  const std::vector<float> before = codebook;
  const auto pq = Value(ProductQuantizer::Create(6, 3, 8, codebook));
  codebook.assign(codebook.size(), 0.0F);
  EXPECT_EQ(pq.dim(), 6U);
  EXPECT_EQ(pq.num_sub_vectors(), 3U);
  EXPECT_EQ(pq.num_bits(), 8U);
  EXPECT_EQ(pq.num_codewords(), 256U);
  EXPECT_EQ(pq.code_len(), 3U);
  EXPECT_THAT(std::vector(pq.codebook().begin(), pq.codebook().end()), ElementsAreArray(before));
}

TEST(ProductQuantizerTest, FourBitCodesShareBytes) {
  const auto pq = Value(ProductQuantizer::Create(12, 6, 4, RandomVectors(16, 12, 2).data));
  EXPECT_EQ(pq.num_codewords(), 16U);
  EXPECT_EQ(pq.code_len(), 3U);
}

TEST(ProductQuantizerTest, RefusesBadShapes) {
  const std::vector<float> codebook = RandomVectors(256, 6, 2).data;
  const std::span<const float> floats(codebook);
  EXPECT_THAT(ProductQuantizer::Create(6, 3, 8, floats), Succeeds());
  for (const unsigned num_bits : {0U, 3U, 5U, 9U, 64U}) {
    EXPECT_THAT(ProductQuantizer::Create(6, 3, num_bits, floats),
                IsInvalid(("num_bits must be 4 or 8; got " + std::to_string(num_bits)).c_str()));
  }
  EXPECT_THAT(ProductQuantizer::Create(6, 4, 8, floats),
              IsInvalid("num_sub_vectors must divide the dimension; got 4 for dimension 6"));
  EXPECT_THAT(ProductQuantizer::Create(6, 0, 8, floats), IsInvalid("got 0 for dimension 6"));
  EXPECT_THAT(ProductQuantizer::Create(0, 3, 8, {}), IsInvalid("got 3 for dimension 0"));
  EXPECT_THAT(
      ProductQuantizer::Create(6, 3, 4, floats.first(96)),
      IsInvalid("num_sub_vectors must be even with 4 bits, as two codes share a byte; got 3"));
}

TEST(ProductQuantizerTest, RefusesCodebooksOfAnotherLength) {
  const std::vector<float> codebook = RandomVectors(257, 6, 2).data;
  const std::span<const float> floats(codebook);
  for (const std::size_t length : Sizes{0, 16 * 6, 256 * 6 - 1, 256 * 6 + 1, 257 * 6}) {
    EXPECT_THAT(ProductQuantizer::Create(6, 3, 8, floats.first(length)),
                IsInvalid(("here [3][256][2]; got " + std::to_string(length) + " floats").c_str()));
  }
  // Dimensions whose codebook has 2^64 floats, which is 0 in 64 bits.
  EXPECT_THAT(ProductQuantizer::Create(std::size_t{1} << 56U, 1, 8, {}), IsInvalid("got 0"));
  EXPECT_THAT(ProductQuantizer::Create(std::size_t{1} << 60U, 2, 4, {}), IsInvalid("got 0"));
}

TEST(ProductQuantizerTest, RefusesBadCodewords) {
  for (const BadElement& bad : kBadElements) {
    std::vector<float> codebook = RandomVectors(256, 6, 2).data;
    codebook[(2 * 256 + 77) * 2 + 1] = bad.element;
    EXPECT_THAT(ProductQuantizer::Create(6, 3, 8, codebook),
                IsInvalid(("codeword 77 of sub-vector 2 " + std::string(bad.part)).c_str()));
  }
}

TEST(IvfPqModelTest, HoldsItsParts) {
  const IvfPqModel model = RandomModel({.metric = Metric::kCosine, .num_bits = 8});
  EXPECT_EQ(model.metric(), Metric::kCosine);
  EXPECT_TRUE(model.residual());
  EXPECT_EQ(model.dim(), 8U);
  EXPECT_EQ(model.ivf().num_partitions(), 4U);
  EXPECT_EQ(model.pq().num_sub_vectors(), 4U);
}

TEST(IvfPqModelTest, RefusesDifferentDimensions) {
  const auto ivf = Value(IvfModel::Create(RandomVectors(2, 6, 1).view()));
  const auto pq = Value(ProductQuantizer::Create(8, 4, 4, RandomVectors(16, 8, 2).data));
  EXPECT_THAT(IvfPqModel::Create(Metric::kL2, ivf, pq, true),
              IsInvalid("centroids and codebook must have one dimension; got 6 and 8"));
}

TEST(IvfPqModelTest, RefusesResidualWithDot) {
  const auto ivf = Value(IvfModel::Create(RandomVectors(2, 8, 1).view()));
  const auto pq = Value(ProductQuantizer::Create(8, 4, 4, RandomVectors(16, 8, 2).data));
  EXPECT_THAT(IvfPqModel::Create(Metric::kDot, ivf, pq, true),
              IsInvalid("residual codes do not work with dot"));
  EXPECT_THAT(IvfPqModel::Create(Metric::kDot, ivf, pq, false), Succeeds());
  EXPECT_THAT(IvfPqModel::Create(Metric::kL2, ivf, pq, false), Succeeds());
}

TEST(IvfPqModelTest, RefusesCodewordsThatAreTooLongTogether) {
  // Each codeword's squared norm is a quarter of the limit: four sub-vectors reach it.
  const auto ivf = Value(IvfModel::Create(RandomVectors(2, 4, 1).view()));
  std::vector<float> codebook(64, 0.0F);
  for (std::size_t m = 0; m < 4; ++m) {
    codebook[m * 16 + m] = 0x1p61F;
  }
  const auto too_long = Value(ProductQuantizer::Create(4, 4, 4, codebook));
  EXPECT_THAT(IvfPqModel::Create(Metric::kL2, ivf, too_long, true),
              IsInvalid("the codebook's vectors are too long"));
  codebook[0] = 0x1.FFFFFEp60F;
  const auto just_fits = Value(ProductQuantizer::Create(4, 4, 4, codebook));
  EXPECT_THAT(IvfPqModel::Create(Metric::kL2, ivf, just_fits, true), Succeeds());
}

TEST(IvfPqModelTest, TheFingerprintSeesEverything) {
  const Vectors centroids = RandomVectors(3, 8, 1);
  const std::vector<float> codebook = RandomVectors(16, 8, 2).data;
  const auto fingerprint = [](Metric metric, const Vectors& ivf, std::size_t num_sub_vectors,
                              const std::vector<float>& pq, bool residual) {
    return Value(IvfPqModel::Create(metric, Value(IvfModel::Create(ivf.view())),
                                    Value(ProductQuantizer::Create(8, num_sub_vectors, 4, pq)),
                                    residual))
        .fingerprint();
  };
  std::set<std::uint64_t> different = {
      fingerprint(Metric::kL2, centroids, 4, codebook, true),
      fingerprint(Metric::kL2, centroids, 4, codebook, false),
      fingerprint(Metric::kCosine, centroids, 4, codebook, true),
      fingerprint(Metric::kDot, centroids, 4, codebook, false),
      fingerprint(Metric::kL2, centroids, 8, codebook, true),
  };
  Vectors other_centroids = centroids;
  other_centroids.data.back() = std::nextafter(other_centroids.data.back(), 2.0F);
  different.insert(fingerprint(Metric::kL2, other_centroids, 4, codebook, true));
  other_centroids = centroids;
  other_centroids.data.resize(16);
  different.insert(fingerprint(Metric::kL2, other_centroids, 4, codebook, true));
  std::vector<float> other_codebook = codebook;
  other_codebook.back() = -other_codebook.back();
  different.insert(fingerprint(Metric::kL2, centroids, 4, other_codebook, true));
  EXPECT_EQ(different.size(), 8U);
  EXPECT_EQ(fingerprint(Metric::kL2, centroids, 4, codebook, true),
            fingerprint(Metric::kL2, centroids, 4, codebook, true));
}

}  // namespace
}  // namespace forebay
