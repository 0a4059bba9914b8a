// Random choices that are the same everywhere: the standard engines are specified bit for bit, the
// standard distributions are not.
//
// Thread safety: pure functions of the seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace forebay::model {

/// min(n, count) different numbers below n, ascending.
std::vector<std::size_t> SampleAscending(std::size_t n, std::size_t count, std::uint64_t seed);

}  // namespace forebay::model
