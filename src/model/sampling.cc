#include "model/sampling.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <unordered_set>

namespace forebay::model {
namespace {

/// A number below n; the bias, n / 2^64, does not matter here.
std::size_t Below(std::size_t n, std::mt19937_64* engine) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((Wide{(*engine)()} * n) >> 64U);
}

}  // namespace

std::vector<std::size_t> SampleAscending(std::size_t n, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> sample;
  if (count >= n) {
    sample.resize(n);
    std::iota(sample.begin(), sample.end(), std::size_t{0});
    return sample;
  }
  // Floyd's algorithm: each step draws from one number more, and takes the new one if the drawn
  // one is taken.
  std::mt19937_64 engine(seed);
  std::unordered_set<std::size_t> taken;
  sample.reserve(count);
  for (std::size_t last = n - count; last < n; ++last) {
    const std::size_t drawn = Below(last + 1, &engine);
    const std::size_t chosen = taken.insert(drawn).second ? drawn : last;
    taken.insert(chosen);
    sample.push_back(chosen);
  }
  std::sort(sample.begin(), sample.end());
  return sample;
}

}  // namespace forebay::model
