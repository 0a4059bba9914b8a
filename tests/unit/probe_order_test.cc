#include "index/probe_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "support/test_data.h"

namespace forebay::index {
namespace {

using forebay::testing::Rng;
using forebay::testing::Sizes;

using Distances = std::vector<float>;

std::vector<std::uint32_t> ByDefinition(const Distances& distances) {
  std::vector<std::uint32_t> order(distances.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return distances[a] < distances[b]; });
  return order;
}

/// Numbers of expected partitions of all kinds: none, few, many, all, and more than there are.
std::vector<std::size_t> SomeExpected(std::size_t size) {
  return {0, 1, 2, 5, size / 20, size / 8, size / 3, size / 2, size - 1, size, size + 1, 3 * size};
}

/// That the first `asked` are in order, and then all.
void ExpectOrder(ProbeOrder* order, const Distances& distances, std::size_t expected,
                 std::size_t asked) {
  const auto by_definition = ByDefinition(distances);
  order->Start(distances, expected);
  for (std::size_t i = 0; i < std::min(asked, distances.size()); ++i) {
    ASSERT_EQ((*order)[i], by_definition[i])
        << i << " of " << distances.size() << ", expected " << expected;
  }
  for (std::size_t i = distances.size(); i-- > 0;) {
    ASSERT_EQ((*order)[i], by_definition[i])
        << i << " of " << distances.size() << ", expected " << expected << ", asked " << asked;
  }
}

/// All numbers of expected partitions, for distances that make() draws.
void ExpectOrders(const std::function<float(std::size_t, std::size_t, Rng*)>& make) {
  Rng rng(1);
  ProbeOrder order;  // The same for all, as a search keeps it.
  for (const std::size_t size :
       Sizes{1, 2, 3, 4, 15, 16, 17, 63, 64, 65, 100, 255, 256, 257, 500, 777, 1000, 1024, 2000}) {
    for (const std::size_t expected : SomeExpected(size)) {
      // New ones each time: what is left of the last order must not be right by chance.
      Distances distances(size);
      for (std::size_t i = 0; i < size; ++i) {
        distances[i] = make(i, size, &rng);
      }
      ExpectOrder(&order, distances, expected, expected + 2);
    }
  }
}

TEST(ProbeOrderTest, IsThatOfTheDistances) {
  ExpectOrders([](std::size_t, std::size_t, Rng* rng) { return rng->Uniform(-1, 1); });
}

TEST(ProbeOrderTest, TiesGoToTheLowerPartition) {
  ExpectOrders(
      [](std::size_t, std::size_t, Rng* rng) { return static_cast<float>(rng->Below(4)) - 1.0F; });
}

TEST(ProbeOrderTest, AllMayBeEquallyFar) {
  ExpectOrders([](std::size_t, std::size_t, Rng*) { return 7.0F; });
}

TEST(ProbeOrderTest, BothZerosAreEquallyFar) {
  ExpectOrders([](std::size_t i, std::size_t, Rng*) { return i % 3 == 0 ? 0.0F : -0.0F; });
}

TEST(ProbeOrderTest, DistancesMayBeSortedAlready) {
  ExpectOrders([](std::size_t i, std::size_t, Rng*) { return static_cast<float>(i); });
  ExpectOrders([](std::size_t i, std::size_t size, Rng*) { return static_cast<float>(size - i); });
}

TEST(ProbeOrderTest, ASampleThatMisleadsDoesNotMatter) {
  // The partitions that a sample of 64 looks at are the nearest of all, or the farthest.
  for (const float sampled : {-1.0F, 1.0F}) {
    ExpectOrders([sampled](std::size_t i, std::size_t size, Rng* rng) {
      const std::size_t sample = (i * 64 + size - 1) / size;
      return rng->Uniform(0, 1) + (sample * size / 64 == i ? sampled * 5 : 0);
    });
  }
}

TEST(ProbeOrderTest, EverySizeAndNumberExpected) {
  Rng rng(2);
  ProbeOrder order;
  for (std::size_t size = 1; size <= 2000; size += 1 + size / 12) {
    for (std::size_t expected = 0; expected <= size; expected += 1 + expected / 4) {
      Distances distances(size);
      std::generate(distances.begin(), distances.end(),
                    [&] { return static_cast<float>(rng.Below(size)); });
      // Sometimes fewer or more of them are asked for.
      ExpectOrder(&order, distances, expected, rng.Below(2 * expected + 2));
    }
  }
}

}  // namespace
}  // namespace forebay::index
