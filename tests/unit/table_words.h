// A small table of words for the tests of each verb: in memory, or in a folder of its own.
//
// Columns: word (utf8, the primary key where there is one), n (int64), vector (float32, 2).
#pragma once

#include <arrow/array/array_base.h>
#include <arrow/array/array_primitive.h>
#include <arrow/compute/expression.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/faulty_directory.h"
#include "table/table_impl.h"

namespace forebay::table_test {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

inline std::shared_ptr<arrow::DataType> VectorType(
    const std::shared_ptr<arrow::DataType>& element = arrow::float32(), std::int32_t dim = 2) {
  return arrow::fixed_size_list(element, dim);
}

inline std::shared_ptr<arrow::Schema> WordSchema() {
  return arrow::schema({arrow::field("word", arrow::utf8()), arrow::field("n", arrow::int64()),
                        arrow::field("vector", VectorType())});
}

inline TableDefinition WordTable() {
  return {.schema = WordSchema(), .vector_column = "vector", .primary_key = "word"};
}

inline std::shared_ptr<arrow::Array> Array(const std::shared_ptr<arrow::DataType>& type,
                                           const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

inline std::shared_ptr<arrow::Array> Words(const std::string& json) {
  return Array(arrow::utf8(), json);
}

/// A batch of this schema, from a JSON array of rows.
inline BatchPtr Rows(const std::shared_ptr<arrow::Schema>& schema, const std::string& json) {
  const auto rows = Array(arrow::struct_(schema->fields()), json);
  return arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
}

inline BatchPtr Rows(const std::string& json) { return Rows(WordSchema(), json); }

inline Table MakeTable(const TableDefinition& definition = WordTable(),
                       const TableOptions& options = {}) {
  auto table = Table::Impl::Create(std::make_unique<FaultyDirectory>(), definition, options);
  return std::move(table).value();
}

/// As JSON, without the schema; for EXPECT_EQ.
inline std::string Text(const arrow::RecordBatch& batch) {
  std::string text;
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    text += row == 0 ? "" : "; ";
    for (int column = 0; column < batch.num_columns(); ++column) {
      text += column == 0 ? "" : " ";
      text += batch.column(column)->GetScalar(row).ValueOrDie()->ToString();
    }
  }
  return text;
}

/// What a scan gives.
inline std::string TextOf(const Table& table, const std::vector<std::string>& columns,
                          const arrow::compute::Expression* filter = nullptr) {
  const auto reader = table.Scan(filter, columns);
  if (!reader.ok()) {
    return reader.status().ToString();
  }
  const auto all = (*reader)->ToTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie();
  return Text(*all);
}

inline arrow::compute::Expression Compare(const std::string& function, const std::string& column,
                                          arrow::compute::Expression value) {
  return arrow::compute::call(function, {arrow::compute::field_ref(column), std::move(value)});
}

#define EXPECT_OK(expression) EXPECT_EQ((expression).ToString(), "ok")

}  // namespace forebay::table_test
