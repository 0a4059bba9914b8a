// The README's C++ snippets, as they stand there, in a program that gives them vectors and words.
#include <arrow/array/array_nested.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "forebay/index.h"
#include "forebay/table.h"

namespace {

std::shared_ptr<arrow::RecordBatch> Words(forebay::VectorView vectors) {
  arrow::StringBuilder words;
  arrow::FloatBuilder elements;
  for (std::size_t i = 0; i < vectors.num_rows; ++i) {
    (void)words.Append("word" + std::to_string(i));
  }
  (void)elements.AppendValues(vectors.data, static_cast<long>(vectors.num_rows * vectors.dim));
  const auto column = arrow::FixedSizeListArray::FromArrays(elements.Finish().ValueOrDie(),
                                                            static_cast<int>(vectors.dim));
  const auto schema = arrow::schema({arrow::field("word", arrow::utf8()),
                                     arrow::field("embedding", column.ValueOrDie()->type())});
  return arrow::RecordBatch::Make(schema, static_cast<long>(vectors.num_rows),
                                  {words.Finish().ValueOrDie(), column.ValueOrDie()});
}

int RunSnippets(forebay::VectorView vectors, forebay::VectorView queries) {
  const std::shared_ptr<arrow::RecordBatch> batch = Words(vectors);
  const std::shared_ptr<arrow::Schema> schema = batch->schema();
#include "snippet.inc"
  if (!put.ok() || !nearest.ok()) {
    return 1;
  }
  std::printf("%ld words found\n", static_cast<long>(nearest->rows->num_rows()));
  return table->Close().ok() ? 0 : 1;
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
  return RunSnippets({.data = rows.data(), .num_rows = kRows, .dim = kDim},
                     {.data = rows.data(), .num_rows = 1, .dim = kDim});
}
