// Rows as JSON, an object a line.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "arrow_input.h"
#include "table/row_formats.h"

namespace forebay::cli {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const arrow::Scalar& value);

Json ListToJson(const arrow::Array& values) {
  Json list = Json::array();
  for (std::int64_t i = 0; i < values.length(); ++i) {
    list.push_back(ToJson(*values.GetScalar(i).ValueOrDie()));  // i is in range.
  }
  return list;
}

Json StructToJson(const arrow::StructScalar& value) {
  Json object = Json::object();
  for (std::size_t i = 0; i < value.value.size(); ++i) {
    object[value.type->field(static_cast<int>(i))->name()] = ToJson(*value.value[i]);
  }
  return object;
}

/// NaN and the infinities, which JSON has not, become null.
Json ToJson(const arrow::Scalar& value) {
  if (!value.is_valid) {
    return nullptr;
  }
  const arrow::Type::type type = value.type->id();
  if (type == arrow::Type::BOOL) {
    return static_cast<const arrow::BooleanScalar&>(value).value;
  }
  if (arrow::is_integer(type) || arrow::is_floating(type)) {
    Json number = Json::parse(value.ToString(), nullptr, /*allow_exceptions=*/false);
    return number.is_discarded() ? Json(nullptr) : number;
  }
  switch (type) {
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST:
      return ListToJson(*static_cast<const arrow::BaseListScalar&>(value).value);
    case arrow::Type::STRUCT:
      return StructToJson(static_cast<const arrow::StructScalar&>(value));
    case arrow::Type::DICTIONARY:
      return ToJson(
          *static_cast<const arrow::DictionaryScalar&>(value).GetEncodedValue().ValueOrDie());
    default:
      return value.ToString();
  }
}

class JsonOutput final : public RowOutput {
 public:
  Status Write(const arrow::RecordBatch& rows) override {
    for (std::int64_t row = 0; row < rows.num_rows(); ++row) {
      Json object = Json::object();
      for (int column = 0; column < rows.num_columns(); ++column) {
        const auto value = rows.column(column)->GetScalar(row);
        if (!value.ok()) {
          return FromArrow(rows.column_name(column), value.status());
        }
        object[rows.column_name(column)] = ToJson(**value);
      }
      fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    return Status::Ok();
  }

  Status Finish() override { return Status::Ok(); }
};

}  // namespace

std::unique_ptr<RowOutput> JsonRows() { return std::make_unique<JsonOutput>(); }

}  // namespace forebay::cli
