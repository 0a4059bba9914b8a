#include "model/kmeans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "support/canonical_arithmetic.h"
#include "support/kernel_test.h"
#include "support/test_data.h"

namespace forebay::model {
namespace {

using forebay::testing::Bits;
using forebay::testing::ClusteredVectors;
using forebay::testing::RandomVectors;
using forebay::testing::Rng;
using forebay::testing::Sizes;
using forebay::testing::Vectors;

simd::StridedRows Rows(const Vectors& vectors) {
  return {vectors.data.data(), vectors.num_rows(), vectors.dim};
}

std::vector<float> Centroids(const Vectors& rows, KMeansOptions options,
                             std::size_t num_threads = 1) {
  options.dim = rows.dim;
  Workers workers(num_threads);
  const KMeansResult result = KMeans(Rows(rows), options, &workers);
  EXPECT_FALSE(result.cancelled);
  EXPECT_EQ(result.centroids.size(), options.num_clusters * rows.dim);
  return result.centroids;
}

std::size_t CountDistinct(const std::vector<float>& rows, std::size_t dim) {
  std::set<std::vector<float>> distinct;
  for (auto row = rows.begin(); row != rows.end(); row += static_cast<std::ptrdiff_t>(dim)) {
    distinct.insert({row, row + static_cast<std::ptrdiff_t>(dim)});
  }
  return distinct.size();
}

/// The mean squared distance to the nearest centroid.
double MeanError(const Vectors& rows, const std::vector<float>& centroids) {
  double sum = 0;
  for (std::size_t i = 0; i < rows.num_rows(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < centroids.size(); c += rows.dim) {
      double distance = 0;
      for (std::size_t d = 0; d < rows.dim; ++d) {
        distance += std::pow(
            static_cast<double>(rows.row(i)[d]) - static_cast<double>(centroids[c + d]), 2);
      }
      least = std::min(least, distance);
    }
    sum += least;
  }
  return sum / static_cast<double>(rows.num_rows());
}

TEST(KMeansTest, OneClusterIsTheMean) {
  const Vectors rows{.dim = 2, .data = {0, 1, 2, 3, 4, 11}};
  EXPECT_THAT(Centroids(rows, {.num_clusters = 1, .max_iters = 3}),
              ::testing::ElementsAre(2.0F, 5.0F));
}

TEST(KMeansTest, AsManyClustersAsRowsAreTheRows) {
  const Vectors rows = RandomVectors(30, 3, 1);
  const auto centroids = Centroids(rows, {.num_clusters = 30, .max_iters = 5});
  EXPECT_EQ(MeanError(rows, centroids), 0.0);
}

TEST(KMeansTest, IterationsImproveTheClusters) {
  const Vectors rows = ClusteredVectors(3000, 6, 40, 0.2F, 1);
  double last = std::numeric_limits<double>::infinity();
  for (const std::size_t max_iters : Sizes{1, 2, 4, 10, 30}) {
    const double error =
        MeanError(rows, Centroids(rows, {.num_clusters = 40, .max_iters = max_iters, .seed = 3}));
    EXPECT_LT(error, last) << max_iters;
    last = error;
  }
  EXPECT_LT(last, 0.2);  // Of 6 x .04 / 3 = .08 at the centres themselves.
}

TEST(KMeansTest, ThreadsDoNotMatter) {
  const Vectors rows = ClusteredVectors(5000, 7, 50, 0.5F, 2);
  for (const bool spherical : {false, true}) {
    const KMeansOptions options{
        .num_clusters = 37, .max_iters = 6, .seed = 1, .spherical = spherical};
    const auto expected = Bits(Centroids(rows, options));
    for (const std::size_t num_threads : Sizes{2, 3, 8}) {
      EXPECT_EQ(Bits(Centroids(rows, options, num_threads)), expected) << num_threads;
    }
  }
}

TEST(KMeansTest, RowsMayBePartsOfLongerOnes) {
  const Vectors wide = RandomVectors(500, 12, 3);
  Vectors narrow{.dim = 5};
  for (std::size_t i = 0; i < 500; ++i) {
    narrow.data.insert(narrow.data.end(), wide.row(i) + 4, wide.row(i) + 9);
  }
  const KMeansOptions options{.num_clusters = 9, .dim = 5, .max_iters = 4};
  Workers workers(1);
  const auto result = KMeans({wide.row(0) + 4, 500, 12}, options, &workers);
  EXPECT_EQ(Bits(result.centroids), Bits(Centroids(narrow, options)));
}

TEST(KMeansTest, EmptyClustersAreRepaired) {
  // One row a thousand times, others once: at first most centroids are copies of the same row.
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Vectors rows = RandomVectors(12, 3, seed);
    while (rows.num_rows() < 1000) {
      rows.data.insert(rows.data.end(), rows.row(0), rows.row(1));
    }
    const auto centroids = Centroids(rows, {.num_clusters = 12, .max_iters = 25, .seed = seed});
    EXPECT_EQ(CountDistinct(centroids, 3), 12U) << seed;
    EXPECT_LT(MeanError(rows, centroids), 1e-12) << seed;
  }
}

TEST(KMeansTest, EmptyClustersAreRepairedAmongFewDistinctRows) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Rng rng(seed);
    const Vectors distinct = RandomVectors(40, 2, seed);
    Vectors rows{.dim = 2};
    for (std::size_t i = 0; i < 2000; ++i) {  // The first ones much more often.
      const std::size_t from = i < 40 ? i : rng.Below(rng.Below(rng.Below(40) + 1) + 1);
      rows.data.insert(rows.data.end(), distinct.row(from), distinct.row(from) + 2);
    }
    const auto centroids = Centroids(rows, {.num_clusters = 32, .max_iters = 25, .seed = seed});
    EXPECT_EQ(CountDistinct(centroids, 2), 32U) << seed;
  }
}

TEST(KMeansTest, EqualRowsTerminate) {
  const Vectors rows{.dim = 2, .data = std::vector<float>(2000, 0.3F)};
  std::size_t iterations = 0;
  const auto centroids =
      Centroids(rows, {.num_clusters = 16, .max_iters = 10, .on_iteration = [&](std::size_t n) {
                         iterations = n;
                         return true;
                       }});
  EXPECT_EQ(centroids, std::vector<float>(32, 0.3F));
  EXPECT_LE(iterations, 10U);
}

TEST(KMeansTest, StopsWhenAnIterationImprovesLittle) {
  const Vectors rows = ClusteredVectors(2000, 4, 8, 0.01F, 5);
  for (const bool spherical : {false, true}) {
    std::vector<std::size_t> calls;
    const auto count = [&calls](std::size_t iteration) {
      calls.push_back(iteration);
      return true;
    };
    Centroids(
        rows,
        {.num_clusters = 8, .max_iters = 1000, .spherical = spherical, .on_iteration = count});
    EXPECT_LT(calls.size(), 50U) << spherical;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i], i + 1);
    }
  }
}

TEST(KMeansTest, TheCallbackCanCancel) {
  const Vectors rows = RandomVectors(1000, 4, 6);
  Workers workers(2);
  std::size_t calls = 0;
  const auto result = KMeans(Rows(rows),
                             {.num_clusters = 10,
                              .dim = 4,
                              .max_iters = 20,
                              .on_iteration = [&](std::size_t n) { return ++calls, n < 3; }},
                             &workers);
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(calls, 3U);
}

TEST(KMeansTest, SphericalIterationsImproveTheInnerProducts) {
  const Vectors rows = RandomVectors(2000, 5, 8);
  double last = 0;
  for (const std::size_t max_iters : Sizes{1, 2, 4, 20}) {
    const auto centroids =
        Centroids(rows, {.num_clusters = 20, .max_iters = max_iters, .spherical = true});
    double sum = 0;
    for (std::size_t i = 0; i < rows.num_rows(); ++i) {
      float greatest = -std::numeric_limits<float>::infinity();
      for (std::size_t c = 0; c < centroids.size(); c += rows.dim) {
        greatest = std::max(greatest,
                            forebay::testing::TreeDot(rows.row(i), centroids.data() + c, rows.dim));
      }
      sum += static_cast<double>(greatest);
    }
    EXPECT_GT(sum, last) << max_iters;
    last = sum;
  }
}

TEST(KMeansTest, SphericalCentroidsHaveLengthOne) {
  const Vectors rows = RandomVectors(1000, 5, 7);
  const auto centroids = Centroids(rows, {.num_clusters = 20, .max_iters = 5, .spherical = true});
  for (std::size_t c = 0; c < 20; ++c) {
    double squared_norm = 0;
    for (std::size_t d = 0; d < 5; ++d) {
      squared_norm += std::pow(static_cast<double>(centroids[c * 5 + d]), 2);
    }
    EXPECT_NEAR(squared_norm, 1.0, 1e-6);
  }
  const Vectors zeros{.dim = 2, .data = std::vector<float>(20)};
  EXPECT_EQ(Centroids(zeros, {.num_clusters = 2, .max_iters = 2, .spherical = true}),
            std::vector<float>(4, 0.0F));
}

}  // namespace
}  // namespace forebay::model
