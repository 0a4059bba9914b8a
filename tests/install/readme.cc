// The README's C++ snippet, as it stands there, in a program that gives it vectors.
#include <cstddef>
#include <cstdio>
#include <vector>

#include "forebay/index.h"

namespace {

int RunSnippet(forebay::VectorView vectors, forebay::VectorView queries) {
#include "snippet.inc"
  return 0;
}

}  // namespace

int main() {
  constexpr std::size_t kRows = 2000;
  constexpr std::size_t kDim = 100;
  std::vector<float> rows(kRows * kDim);
  unsigned state = 1;
  for (float& x : rows) {
    state = state * 1664525U + 1013904223U;
    x = static_cast<float>(state >> 16U) / 65536.0F;
  }
  return RunSnippet({.data = rows.data(), .num_rows = kRows, .dim = kDim},
                    {.data = rows.data(), .num_rows = 1, .dim = kDim});
}
