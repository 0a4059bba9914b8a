#include <arrow/array/builder_primitive.h>

#include <cstdio>
#include <memory>

#include "forebay/arrow.h"

// An array that holds no vectors must be refused, in words.
int main() {
  arrow::Int32Builder builder;
  std::shared_ptr<arrow::Array> numbers;
  if (!builder.Append(7).ok() || !builder.Finish(&numbers).ok()) {
    return 1;
  }
  const auto vectors = forebay::ArrowVectors::Make(*numbers);
  if (vectors) {
    return 1;
  }
  std::printf("refused: %s\n", vectors.error().message().c_str());
  return 0;
}
