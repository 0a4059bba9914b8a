// RowsSchema: the columns of the rows files that are fuzzed.
//
// Thread safety: a pure function.
#pragma once

#include <arrow/type.h>

#include <memory>

namespace forebay::testing {

inline std::shared_ptr<arrow::Schema> RowsSchema() {
  return arrow::schema({arrow::field("id", arrow::int64(), /*nullable=*/false),
                        arrow::field("vector", arrow::fixed_size_list(arrow::float32(), 2)),
                        arrow::field("text", arrow::utf8()),
                        arrow::field("view", arrow::utf8_view()),
                        arrow::field("word", arrow::dictionary(arrow::int8(), arrow::utf8())),
                        arrow::field("list", arrow::list(arrow::int16()))});
}

}  // namespace forebay::testing
