// ChooseMerge: which generations become one, and how much is written in the long run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "table/merge_policy.h"

namespace forebay {
namespace {

using table::ChooseMerge;
using table::GenerationRange;
using table::GenerationSize;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

/// Generations of so many live rows, of ten bytes each.
std::vector<GenerationSize> Sizes(const std::vector<std::uint64_t>& num_live) {
  std::vector<GenerationSize> sizes;
  for (const std::uint64_t rows : num_live) {
    sizes.push_back({.num_live = rows, .num_bytes = 10 * rows});
  }
  return sizes;
}

std::optional<GenerationRange> Choose(const std::vector<std::uint64_t>& num_live,
                                      std::uint64_t max_bytes = kNoLimit) {
  return ChooseMerge(Sizes(num_live), 3, max_bytes);
}

TEST(MergePolicyTest, NothingIsChosenOfFewerThanTheFanIn) {
  EXPECT_EQ(Choose({}), std::nullopt);
  EXPECT_EQ(Choose({10}), std::nullopt);
  EXPECT_EQ(Choose({10, 10}), std::nullopt);
  EXPECT_EQ(Choose({10, 10, 10}), (GenerationRange{0, 3}));
}

TEST(MergePolicyTest, SizesMayDifferByTwo) {
  EXPECT_EQ(Choose({20, 20, 10}), (GenerationRange{0, 3}));
  EXPECT_EQ(Choose({21, 20, 10}), std::nullopt);
  EXPECT_EQ(Choose({20, 21, 10}), std::nullopt) << "they must follow each other";
  EXPECT_EQ(Choose({1, 1, 10}), (GenerationRange{0, 3})) << "smaller ones before it come along";
}

TEST(MergePolicyTest, LargerOnesStay) {
  EXPECT_EQ(Choose({1000, 10, 10, 10}), (GenerationRange{1, 3}));
  EXPECT_EQ(Choose({1000, 900, 800, 10}), (GenerationRange{0, 3})) << "the newest waits";
  EXPECT_EQ(Choose({1000, 900, 800, 10, 10, 10}), (GenerationRange{3, 3})) << "the newest first";
}

TEST(MergePolicyTest, AsManyAsThereAre) {
  EXPECT_EQ(Choose({10, 10, 10, 10, 10}), (GenerationRange{0, 5}));
}

TEST(MergePolicyTest, EmptyOnesAreTakenForOneRow) {
  EXPECT_EQ(Choose({2, 1, 0}), (GenerationRange{0, 3}));
  EXPECT_EQ(Choose({3, 1, 0}), std::nullopt);
}

TEST(MergePolicyTest, NoMoreThanTheLimit) {
  EXPECT_EQ(Choose({10, 10, 10}, 300), (GenerationRange{0, 3}));
  EXPECT_EQ(Choose({10, 10, 10}, 299), std::nullopt);
  EXPECT_EQ(Choose({10, 10, 10, 10}, 300), (GenerationRange{1, 3}));
  EXPECT_EQ(Choose({1000, 10, 10, 10}, 300), (GenerationRange{1, 3}));
}

TEST(MergePolicyTest, OneThatIsMostlyDeadIsWrittenAnew) {
  std::vector<GenerationSize> sizes = Sizes({1000, 10});
  sizes[0].num_dead = 1000;
  EXPECT_EQ(ChooseMerge(sizes, 3, kNoLimit), std::nullopt) << "half";
  sizes[0].num_dead = 1001;
  EXPECT_EQ(ChooseMerge(sizes, 3, kNoLimit), (GenerationRange{0, 1}));
  EXPECT_EQ(ChooseMerge(sizes, 3, sizes[0].num_bytes - 1), std::nullopt) << "it is too large";
  sizes.push_back(sizes[1]);
  sizes.push_back(sizes[1]);
  EXPECT_EQ(ChooseMerge(sizes, 3, kNoLimit), (GenerationRange{1, 3})) << "those of a size first";
}

/// What flushes of one size become, merged until nothing is chosen.
struct Outcome {
  std::uint64_t num_written = 0;  // Rows, by flushes and merges.
  std::size_t most_generations = 0;
};

Outcome Flush(std::size_t num_flushes, std::size_t fan_in) {
  Outcome outcome;
  std::vector<std::uint64_t> live;
  for (std::size_t i = 0; i < num_flushes; ++i) {
    live.push_back(100);
    outcome.num_written += 100;
    while (const auto chosen = ChooseMerge(Sizes(live), fan_in, kNoLimit)) {
      const auto first = live.begin() + static_cast<std::ptrdiff_t>(chosen->first);
      std::uint64_t sum = 0;
      for (std::size_t k = 0; k < chosen->count; ++k) {
        sum += first[static_cast<std::ptrdiff_t>(k)];
      }
      live.erase(first + 1, first + static_cast<std::ptrdiff_t>(chosen->count));
      live[chosen->first] = sum;
      outcome.num_written += sum;
    }
    outcome.most_generations = std::max(outcome.most_generations, live.size());
  }
  return outcome;
}

TEST(MergePolicyTest, RowsAreWrittenALogarithmOfTimes) {
  for (const std::size_t fan_in : {std::size_t{3}, std::size_t{8}}) {
    const std::size_t depth = fan_in == 3 ? 6 : 3;  // 3^6 = 729, 8^3 = 512.
    const Outcome outcome = Flush(fan_in == 3 ? 729 : 512, fan_in);
    const double times =
        static_cast<double>(outcome.num_written) / (fan_in == 3 ? 72'900.0 : 51'200.0);
    EXPECT_LE(times, static_cast<double>(depth + 1));
    EXPECT_LE(outcome.most_generations, depth * fan_in);
  }
}

}  // namespace
}  // namespace forebay
