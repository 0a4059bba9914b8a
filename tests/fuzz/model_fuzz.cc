// Fuzzes the reader of model files. Whatever the bytes, it answers; what it takes, it writes again.
//
//   build/asan/tests/forebay_model_fuzz tests/fuzz/corpus/model
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "forebay/model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto model = forebay::IvfPqModel::Parse(bytes);
  if (model.ok() && !std::ranges::equal(model->Serialize(), bytes)) {
    std::abort();
  }
  return 0;
}
