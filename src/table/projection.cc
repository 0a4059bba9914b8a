#include "table/projection.h"

#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "table/arrow_status.h"

namespace forebay::table {
namespace {

constexpr const char* kRowIdName = "_rowid";

/// Of `count` rows, whose i-th has the `_rowid` row_id_of(i).
template <typename RowIdOf>
Result<std::shared_ptr<arrow::Array>> RowIds(std::size_t count, const RowIdOf& row_id_of) {
  arrow::UInt64Builder builder;
  if (const auto reserved = builder.Reserve(static_cast<std::int64_t>(count)); !reserved.ok()) {
    return FromArrow(reserved);
  }
  for (std::size_t i = 0; i < count; ++i) {
    builder.UnsafeAppend(row_id_of(i));
  }
  auto array = builder.Finish();
  if (!array.ok()) {
    return FromArrow(array.status());
  }
  return *std::move(array);
}

}  // namespace

Result<Projection> Projection::Make(const TableSchema& schema,
                                    const std::vector<std::string>& names) {
  Projection made;
  arrow::FieldVector fields;
  for (const std::string& name : names) {
    const int column = name == kRowIdName ? kRowId : schema.arrow()->GetFieldIndex(name);
    if (name != kRowIdName && column < 0) {
      return Status::InvalidArgument(
          fmt::format("there is no column '{}'; the table has: {}, and _rowid", name,
                      fmt::join(schema.arrow()->field_names(), ", ")));
    }
    if (std::find(made.columns_.begin(), made.columns_.end(), column) != made.columns_.end()) {
      return Status::InvalidArgument(fmt::format("column '{}' was asked for twice", name));
    }
    made.columns_.push_back(column);
    fields.push_back(column == kRowId
                         ? arrow::field(kRowIdName, arrow::uint64(), /*nullable=*/false)
                         : schema.arrow()->field(column));
  }
  made.schema_ = arrow::schema(std::move(fields), schema.arrow()->metadata());
  return made;
}

Result<Projection> Projection::All(const TableSchema& schema) {
  return Make(schema, schema.arrow()->field_names());
}

Result<std::vector<std::shared_ptr<arrow::Array>>> Projection::Take(
    const Version& version, std::span<const RowPlace> rows) const {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    auto array =
        columns_[i] == kRowId
            ? RowIds(rows.size(),
                     [&](std::size_t row) {
                       return version.sources[rows[row].source]->rows.row_id(rows[row].ordinal);
                     })
            : version.Take(columns_[i], schema_->field(static_cast<int>(i))->type(), rows);
    if (!array.ok()) {
      return array.status();
    }
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

Result<std::shared_ptr<arrow::RecordBatch>> Projection::Of(const RowBatch& batch) const {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const int column : columns_) {
    if (column != kRowId) {
      arrays.push_back(batch.batch->column(column));
      continue;
    }
    auto row_ids = RowIds(batch.end() - batch.first_ordinal, [&](std::size_t row) {
      return batch.row_id(static_cast<std::uint32_t>(row));
    });
    if (!row_ids.ok()) {
      return row_ids.status();
    }
    arrays.push_back(*std::move(row_ids));
  }
  return arrow::RecordBatch::Make(schema_, batch.batch->num_rows(), std::move(arrays));
}

}  // namespace forebay::table
