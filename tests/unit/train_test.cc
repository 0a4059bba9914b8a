// Training: what it depends on, what it refuses, and how it tells how far it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "forebay/model.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay {
namespace {

using forebay::testing::ClusteredVectors;
using forebay::testing::FailsWith;
using forebay::testing::IsInvalid;
using forebay::testing::RandomVectors;
using forebay::testing::Sizes;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::Each;
using ::testing::Le;

constexpr std::size_t kDim = 8;

TrainOptions Small() {
  return {
      .num_partitions = 16, .num_sub_vectors = 4, .num_bits = 4, .max_iters = 5, .pq_max_iters = 5};
}

std::vector<std::byte> TrainBytes(const Vectors& vectors, const TrainOptions& options) {
  return Value(Train(vectors.view(), options)).Serialize();
}

TEST(TrainTest, GivesAModelOfTheShapeThatWasAskedFor) {
  const Vectors vectors = ClusteredVectors(600, kDim, 10, 0.3F, 1);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const unsigned num_bits : {4U, 8U}) {
      TrainOptions options = Small();
      options.metric = metric;
      options.num_bits = num_bits;
      const IvfPqModel model = Value(Train(vectors.view(), options));
      EXPECT_EQ(model.metric(), metric);
      EXPECT_EQ(model.residual(), metric != Metric::kDot);
      EXPECT_EQ(model.dim(), kDim);
      EXPECT_EQ(model.ivf().num_partitions(), 16U);
      EXPECT_EQ(model.pq().num_sub_vectors(), 4U);
      EXPECT_EQ(model.pq().num_bits(), num_bits);
    }
  }
}

TEST(TrainTest, ResidualCanBeChosen) {
  const Vectors vectors = ClusteredVectors(600, kDim, 10, 0.3F, 1);
  TrainOptions options = Small();
  for (const bool residual : {false, true}) {
    options.residual = residual;
    EXPECT_EQ(Value(Train(vectors.view(), options)).residual(), residual);
  }
  options.metric = Metric::kDot;
  options.residual = false;
  EXPECT_FALSE(Value(Train(vectors.view(), options)).residual());
}

TEST(TrainTest, ThreadsDoNotMatter) {
  // More than one task for each stage and thread: tasks are of 4,096 and 1,024 rows.
  const Vectors vectors = ClusteredVectors(9000, kDim, 30, 0.5F, 2);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const unsigned num_bits : {4U, 8U}) {
      TrainOptions options = Small();
      options.num_partitions = 40;
      options.metric = metric;
      options.num_bits = num_bits;
      options.sample_rate = num_bits == 4 ? 512 : 32;
      options.max_iters = 3;
      options.pq_max_iters = 2;
      const auto expected = TrainBytes(vectors, options);
      for (const std::size_t num_threads : Sizes{0, 2, 3, 8}) {
        options.num_threads = num_threads;
        EXPECT_TRUE(TrainBytes(vectors, options) == expected)
            << MetricName(metric) << ", " << num_bits << " bits, " << num_threads << " threads";
      }
    }
  }
}

TEST(TrainTest, TheSeedDecides) {
  const Vectors vectors = ClusteredVectors(3000, kDim, 10, 0.5F, 3);
  std::set<std::uint64_t> fingerprints;
  for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3},
                                   std::numeric_limits<std::uint64_t>::max()}) {
    TrainOptions options = Small();
    options.seed = seed;
    const IvfPqModel model = Value(Train(vectors.view(), options));
    EXPECT_EQ(Value(Train(vectors.view(), options)).fingerprint(), model.fingerprint());
    fingerprints.insert(model.fingerprint());
  }
  EXPECT_EQ(fingerprints.size(), 4U);
}

TEST(TrainTest, TheSeedDecidesTheCodebookToo) {
  const Vectors vectors = ClusteredVectors(500, kDim, 10, 0.5F, 3);
  TrainOptions options = Small();
  options.residual = false;  // Nor is anything sampled: only the first codewords are drawn.
  const IvfPqModel first = Value(Train(vectors.view(), options));
  options.seed = 2;
  const IvfPqModel second = Value(Train(vectors.view(), options));
  EXPECT_FALSE(std::ranges::equal(first.pq().codebook(), second.pq().codebook()));
}

TEST(TrainTest, TakesEveryRowWhenTheSampleIsLargeEnough) {
  const Vectors vectors = ClusteredVectors(1000, kDim, 10, 0.5F, 4);
  TrainOptions options = Small();
  options.sample_rate = 1000;
  const auto expected = TrainBytes(vectors, options);
  // Products with 16 partitions or codewords that are beyond 64 bits.
  for (const std::size_t rate : Sizes{5000, std::size_t{1} << 60U, std::size_t{1} << 63U,
                                      std::numeric_limits<std::size_t>::max()}) {
    options.sample_rate = rate;
    EXPECT_TRUE(TrainBytes(vectors, options) == expected) << rate;
  }
}

TEST(TrainTest, AsManyRowsAsPartitionsAndCodewordsAreEnough) {
  const Vectors vectors = RandomVectors(16, kDim, 5);
  const IvfPqModel model = Value(Train(vectors.view(), Small()));
  std::set<std::vector<float>> rows;
  for (std::size_t i = 0; i < 16; ++i) {
    rows.insert({vectors.row(i), vectors.row(i) + kDim});
  }
  const VectorView centroids = model.ivf().centroids();
  for (std::size_t i = 0; i < 16; ++i) {
    rows.erase({centroids.row(i), centroids.row(i) + kDim});
  }
  EXPECT_TRUE(rows.empty());
}

TEST(TrainTest, DistinctRowsGiveDistinctCentroidsHoweverOftenSomeComeAgain) {
  Vectors vectors = RandomVectors(16, kDim, 6);
  while (vectors.num_rows() < 2000) {
    vectors.data.insert(vectors.data.end(), vectors.row(0), vectors.row(1));
  }
  const IvfPqModel model = Value(Train(vectors.view(), Small()));
  const VectorView centroids = model.ivf().centroids();
  std::set<std::vector<float>> distinct;
  for (std::size_t i = 0; i < 16; ++i) {
    distinct.insert({centroids.row(i), centroids.row(i) + kDim});
  }
  EXPECT_EQ(distinct.size(), 16U);
}

TEST(TrainTest, EqualRowsGiveAModel) {
  const Vectors vectors{.dim = kDim, .data = std::vector<float>(300 * kDim, 0.25F)};
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    TrainOptions options = Small();
    options.metric = metric;
    const IvfPqModel model = Value(Train(vectors.view(), options));
    if (model.residual()) {
      EXPECT_THAT(std::vector(model.pq().codebook().begin(), model.pq().codebook().end()),
                  Each(0.0F));
    }
  }
}

TEST(TrainTest, CosineDoesNotSeeLengths) {
  const Vectors vectors = ClusteredVectors(500, kDim, 10, 0.5F, 7);
  Vectors scaled = vectors;
  for (std::size_t i = 0; i < scaled.data.size(); ++i) {
    scaled.data[i] *= std::ldexp(1.0F, static_cast<int>(i / kDim % 60) - 30);
  }
  TrainOptions options = Small();
  options.metric = Metric::kCosine;
  EXPECT_TRUE(TrainBytes(scaled, options) == TrainBytes(vectors, options));
}

TEST(TrainErrorTest, TooFewRows) {
  const Vectors vectors = RandomVectors(20, kDim, 1);
  TrainOptions options = Small();
  options.num_partitions = 21;
  EXPECT_THAT(Train(vectors.view(), options),
              IsInvalid("at least as many rows as partitions (21) and as codewords (16); got 20"));
  options.num_partitions = 4;
  options.num_bits = 8;
  EXPECT_THAT(Train(vectors.view(), options),
              IsInvalid("at least as many rows as partitions (4) and as codewords (256); got 20"));
  EXPECT_THAT(Train({nullptr, 0, kDim}, options), IsInvalid("got 0"));
}

TEST(TrainErrorTest, Shapes) {
  const Vectors vectors = RandomVectors(300, kDim, 1);
  const auto train = [&vectors](std::size_t num_sub_vectors, unsigned num_bits) {
    TrainOptions options = Small();
    options.num_sub_vectors = num_sub_vectors;
    options.num_bits = num_bits;
    return Train(vectors.view(), options);
  };
  EXPECT_THAT(train(3, 8), IsInvalid("num_sub_vectors must divide the dimension; got 3"));
  EXPECT_THAT(train(16, 8), IsInvalid("num_sub_vectors must divide the dimension; got 16"));
  EXPECT_THAT(train(0, 8), IsInvalid("num_sub_vectors must divide the dimension; got 0"));
  EXPECT_THAT(train(1, 4), IsInvalid("num_sub_vectors must be even with 4 bits"));
  EXPECT_THAT(train(1, 8), Succeeds());
  EXPECT_THAT(train(8, 4), Succeeds());
  for (const unsigned num_bits : {0U, 1U, 5U, 16U, 1000U}) {
    EXPECT_THAT(train(4, num_bits),
                IsInvalid(("num_bits must be 4 or 8; got " + std::to_string(num_bits)).c_str()));
  }
  EXPECT_THAT(Train({vectors.data.data(), 300, 0}, Small()), IsInvalid("for dimension 0"));
}

TEST(TrainErrorTest, ZeroSizes) {
  const Vectors vectors = RandomVectors(300, kDim, 1);
  for (std::size_t TrainOptions::*const size :
       {&TrainOptions::num_partitions, &TrainOptions::sample_rate, &TrainOptions::max_iters,
        &TrainOptions::pq_max_iters}) {
    TrainOptions options = Small();
    options.*size = 0;
    EXPECT_THAT(Train(vectors.view(), options), IsInvalid("must be at least 1"));
  }
}

TEST(TrainErrorTest, ResidualWithDot) {
  const Vectors vectors = RandomVectors(300, kDim, 1);
  TrainOptions options = Small();
  options.metric = Metric::kDot;
  options.residual = true;
  EXPECT_THAT(Train(vectors.view(), options), IsInvalid("residual codes do not work with dot"));
}

TEST(TrainErrorTest, BadRowsAreNamed) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Vectors good = RandomVectors(9000, kDim, 1);
  struct Case {
    float element;
    const char* part;
  };
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    TrainOptions options = Small();
    options.metric = metric;
    options.num_threads = 3;
    for (const Case& bad : {Case{std::nanf(""), "has NaN or an infinite element"},
                            Case{kInfinity, "has NaN or an infinite element"},
                            Case{-kInfinity, "has NaN or an infinite element"},
                            Case{0x1p62F, "is too long: its squared norm overflows"},
                            Case{3e38F, "is too long: its squared norm overflows"}}) {
      Vectors vectors = good;
      vectors.row(8999)[0] = bad.element;  // The first of them is named,
      vectors.row(4711)[7] = bad.element;  // and a row that no sample need have.
      EXPECT_THAT(Train(vectors.view(), options),
                  IsInvalid(("row 4711 " + std::string(bad.part)).c_str()));
    }
    Vectors longest = good;
    longest.row(3)[0] = 0x1.FFFFFEp61F;
    std::fill_n(longest.row(3) + 1, kDim - 1, 0.0F);
    EXPECT_THAT(Train(longest.view(), options), Succeeds());
  }
}

TEST(TrainErrorTest, ZeroRowsUnderCosine) {
  TrainOptions options = Small();
  for (const float element : {0.0F, -0.0F, 1e-30F}) {  // The last one's norm has no precision.
    Vectors vectors = RandomVectors(300, kDim, 1);
    std::fill_n(vectors.row(200), kDim, element);
    options.metric = Metric::kCosine;
    EXPECT_THAT(Train(vectors.view(), options),
                IsInvalid("row 200 is zero, which has no direction under cosine"));
    options.metric = Metric::kL2;
    EXPECT_THAT(Train(vectors.view(), options), Succeeds());
    options.metric = Metric::kDot;
    EXPECT_THAT(Train(vectors.view(), options), Succeeds());
  }
}

TEST(TrainProgressTest, StepsAscendToTheirTotalInBothStages) {
  const Vectors vectors = ClusteredVectors(2000, kDim, 16, 0.01F, 8);
  for (const std::size_t num_threads : Sizes{1, 3}) {
    TrainOptions options = Small();
    options.max_iters = 300;  // Both stages stop early.
    options.pq_max_iters = 200;
    options.num_threads = num_threads;
    std::vector<TrainProgress> calls;
    std::atomic<int> inside{0};
    options.progress = [&](const TrainProgress& progress) {
      EXPECT_EQ(++inside, 1);
      calls.push_back(progress);
      --inside;
      return true;
    };
    ASSERT_THAT(Train(vectors.view(), options), Succeeds());
    ASSERT_FALSE(calls.empty());
    EXPECT_LT(calls.size(), 300U + 4 * 200U);
    EXPECT_EQ(calls.front().stage, "centroids");
    EXPECT_EQ(calls.back().stage, "codebook");
    std::set<std::string_view> finished;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const TrainProgress& call = calls[i];
      EXPECT_EQ(call.total, call.stage == "centroids" ? 300U : 4 * 200U);
      EXPECT_LE(call.done, call.total);
      if (i > 0 && call.stage == calls[i - 1].stage) {
        EXPECT_GE(call.done, calls[i - 1].done);
      } else if (i > 0) {  // The one before it was done.
        EXPECT_EQ(calls[i - 1].stage, "centroids");
        EXPECT_EQ(calls[i - 1].done, calls[i - 1].total);
      }
    }
    EXPECT_EQ(calls.back().done, calls.back().total);
  }
}

TEST(TrainProgressTest, FalseCancelsInEitherStage) {
  const Vectors vectors = ClusteredVectors(2000, kDim, 16, 0.5F, 9);
  for (const std::size_t num_threads : Sizes{1, 3}) {
    for (const char* stage : {"centroids", "codebook"}) {
      for (const std::size_t last : Sizes{1, 2}) {
        TrainOptions options = Small();
        options.num_threads = num_threads;
        std::size_t calls_of_stage = 0;
        options.progress = [&](const TrainProgress& progress) {
          calls_of_stage += progress.stage == stage ? 1U : 0U;
          if (calls_of_stage == last) {  // Other threads come to have something to tell, too.
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
          return calls_of_stage < last;
        };
        EXPECT_THAT(Train(vectors.view(), options),
                    FailsWith(StatusCode::kCancelled, std::string("while training the ") + stage));
        EXPECT_EQ(calls_of_stage, last) << "called again after that";
      }
    }
  }
}

TEST(TrainProgressTest, ProgressDoesNotChangeTheModel) {
  const Vectors vectors = ClusteredVectors(1000, kDim, 16, 0.5F, 10);
  TrainOptions options = Small();
  const auto expected = TrainBytes(vectors, options);
  options.progress = [](const TrainProgress&) { return true; };
  EXPECT_TRUE(TrainBytes(vectors, options) == expected);
}

}  // namespace
}  // namespace forebay
