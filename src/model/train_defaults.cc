#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "forebay/model.h"

namespace forebay {

std::size_t DefaultNumPartitions(std::size_t num_rows) {
  // Nearest in ratio: 2^e for num_rows in [2^(2e-1), 2^(2e+1)), which has 2e or 2e + 1 bits.
  const auto num_bits = static_cast<unsigned>(std::bit_width(std::max<std::size_t>(num_rows, 1)));
  return std::size_t{1} << (num_bits / 2);
}

Result<std::size_t> DefaultNumSubVectors(std::size_t dim, unsigned num_bits) {
  const std::size_t step = num_bits == 4 ? 2 : 1;  // With 4 bits the number must be even.
  if (dim == 0 || dim % step != 0) {
    return Status::InvalidArgument(fmt::format(
        "{}-bit codes need {}sub-vectors, which cannot divide dimension {}{}", num_bits,
        step == 2 ? "an even number of " : "", dim, step == 2 && dim != 0 ? "; use 8 bits" : ""));
  }
  const std::size_t min_width = num_bits == 4 ? 2 : 4;
  // The narrowest sub-vectors that are wide enough, unless they are more than twice that wide
  // (dimension 97 has the widths 1 and 97): then the widest of the narrow ones, for better recall.
  std::size_t narrow_count = dim;
  for (std::size_t width = 1; width <= 2 * min_width; ++width) {
    if (dim % width == 0 && dim / width % step == 0) {
      narrow_count = dim / width;
      if (width >= min_width) {
        break;
      }
    }
  }
  return narrow_count;
}

}  // namespace forebay
