// The header of a .npy file: a Python dictionary that says what the bytes after it are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace forebay::cli {

struct NpyHeader {
  std::string descr;  ///< NumPy's name of the element type, such as "<f4".
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

/// Reads "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"; nothing when it is not
/// such a dictionary with just these keys. Of a structured type, descr is its source text.
std::optional<NpyHeader> ParseNpyHeader(std::string_view text);

}  // namespace forebay::cli
