#include <cstddef>
#include <cstdio>
#include <vector>

#include "forebay/index.h"
#include "forebay/model.h"

int main() {
  constexpr std::size_t kRows = 1000;
  constexpr std::size_t kDim = 8;
  std::vector<float> rows(kRows * kDim);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<float>(i * 7919 % 1009);
  }
  const auto model = forebay::Train({.data = rows.data(), .num_rows = kRows, .dim = kDim},
                                    {.num_partitions = 4, .num_sub_vectors = 4, .num_bits = 4});
  if (!model) {
    std::puts(model.error().message().c_str());
    return 1;
  }
  std::printf("trained %zu partitions\n", model->ivf().num_partitions());
  return model->ivf().num_partitions() == 4 ? 0 : 1;
}
