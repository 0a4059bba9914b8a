// Words: a uint64 array of numpy's, borrowed: positions, row ids, the bits of a mask.
//
// Thread safety: as nanobind's ndarray: made and destroyed with the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <span>

namespace forebay::python {

using Words = nanobind::ndarray<const std::uint64_t, nanobind::ndim<1>, nanobind::c_contig,
                                nanobind::device::cpu>;

inline std::span<const std::uint64_t> AsSpan(const Words& words) {
  return {words.data(), words.size()};
}

}  // namespace forebay::python
