// Which kernels run, and what FOREBAY_SIMD does to that. A process picks its level once, so other
// levels are forced in processes of their own.
#include "simd/dispatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "forebay/index.h"
#include "support/kernel_test.h"
#include "support/results.h"
#include "support/test_data.h"

namespace forebay::simd {
namespace {

using forebay::testing::AllLevels;
using forebay::testing::Bits;
using forebay::testing::ClusteredVectors;
using forebay::testing::FailsWith;
using forebay::testing::IsInvalid;
using forebay::testing::RandomModel;
using forebay::testing::RandomVectors;
using forebay::testing::Succeeds;
using forebay::testing::Value;
using forebay::testing::Vectors;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;

std::optional<std::string> Forced() {
  const char* level = std::getenv("FOREBAY_SIMD");
  return level != nullptr && *level != '\0' ? std::optional<std::string>(level) : std::nullopt;
}

/// FOREBAY_SIMD for the processes that a test starts.
class DispatchTest : public ::testing::Test {
 protected:
  void SetUp() override { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
  void TearDown() override { Force(before_); }

  static void Force(const std::optional<std::string>& level) {
    if (level) {
      ::setenv("FOREBAY_SIMD", level->c_str(), 1);
    } else {
      ::unsetenv("FOREBAY_SIMD");
    }
  }

 private:
  const std::optional<std::string> before_ = Forced();
};

TEST_F(DispatchTest, LevelsAreListedWithTheNormFirst) {
  ASSERT_GE(AllLevels().size(), 2U);
  EXPECT_EQ(AllLevels().front(), "scalar");
  EXPECT_THAT(KernelsFor("scalar"), Succeeds());
}

TEST_F(DispatchTest, EveryLevelBearsItsNameOrSaysWhatTheCpuLacks) {
  for (const std::string& level : AllLevels()) {
    const auto kernels = KernelsFor(level);
    if (kernels.ok()) {
      EXPECT_EQ((*kernels)->name, level);
    } else {
      EXPECT_THAT(kernels, FailsWith(StatusCode::kUnsupported, level));
    }
  }
}

TEST_F(DispatchTest, UnknownLevelsAreRefusedWithTheListOfKnownOnes) {
  for (const char* level : {"sse2", "", "SCALAR", "scalar "}) {
    const auto kernels = KernelsFor(level);
    EXPECT_THAT(kernels, IsInvalid(("'" + std::string(level) + "'").c_str()));
    for (const std::string& known : AllLevels()) {
      EXPECT_THAT(kernels, IsInvalid(known.c_str()));
    }
  }
}

TEST_F(DispatchTest, TheActiveLevelIsTheForcedOrElseTheBest) {
  ASSERT_THAT(CheckActive(), Succeeds());
  std::string expected;
  for (const std::string& level : AllLevels()) {
    expected = KernelsFor(level).ok() ? level : expected;
  }
  EXPECT_EQ(Active().name, Forced().value_or(expected));
}

TEST_F(DispatchTest, AnUnknownForcedLevelIsAnErrorOfTheFirstCall) {
  Force("sse2");
  EXPECT_EXIT(
      {
        const Vectors centroids = RandomVectors(2, 2, 1);
        std::fputs(IvfModel::Create(centroids.view()).status().ToString().c_str(), stderr);
        std::exit(0);
      },
      ExitedWithCode(0), HasSubstr("invalid argument: FOREBAY_SIMD: no kernel level 'sse2'"));
}

TEST_F(DispatchTest, AnEmptyForcedLevelForcesNothing) {
  Force("");
  EXPECT_EXIT(
      {
        std::fputs(CheckActive().ToString().c_str(), stderr);
        std::exit(0);
      },
      ExitedWithCode(0), "^ok$");
}

/// All that training, encoding and searching give, as one line of hexadecimal digits.
std::string Digest() {
  std::uint64_t digest = 0;
  const auto add = [&digest](std::uint64_t x) { digest = (digest ^ x) * 0x9E3779B97F4A7C15U; };
  const Vectors vectors = ClusteredVectors(700, 12, 20, 0.5F, 1);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    for (const unsigned num_bits : {4U, 8U}) {
      const auto model = Value(Train(vectors.view(), {.num_partitions = 7,
                                                      .num_sub_vectors = 4,
                                                      .num_bits = num_bits,
                                                      .metric = metric,
                                                      .max_iters = 5,
                                                      .pq_max_iters = 3}));
      add(model.fingerprint());
      auto index = Value(IvfPqMemIndex::Create(model));
      Value(index.Insert(vectors.view(), 0));
      for (const PartitionEntries& partition : index.partitions()) {
        for (const std::uint8_t code : partition.codes) {
          add(code);
        }
      }
      const auto result = Value(index.Search(vectors.rows(0, 20), {.k = 30, .nprobes = 3}));
      for (const auto& hits : result.hits) {
        for (const Hit& hit : hits) {
          add(hit.row_position);
          add(Bits(hit.distance));
        }
      }
    }
  }
  char text[20];
  std::snprintf(text, sizeof(text), "%016lx", digest);
  return text;
}

TEST_F(DispatchTest, ModelsCodesAndDistancesAreEqualOnEveryLevel) {
  const std::string here = Digest();
  for (const std::string& level : AllLevels()) {
    if (!KernelsFor(level).ok()) {
      continue;
    }
    Force(level);
    EXPECT_EXIT(
        {
          std::fputs((std::string(Active().name) + " " + Digest()).c_str(), stderr);
          std::exit(0);
        },
        ExitedWithCode(0), "^" + level + " " + here + "$");
  }
}

}  // namespace
}  // namespace forebay::simd
