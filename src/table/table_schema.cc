#include "table/table_schema.h"

#include <arrow/array/array_base.h>
#include <arrow/buffer.h>
#include <arrow/compute/cast.h>
#include <arrow/extension_type.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/utf8.h>
#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "table/arrow_status.h"

namespace forebay::table {
namespace {

constexpr std::array<std::string_view, 3> kResultColumns = {"_rowid", "_distance", "query_index"};

std::string Names(const arrow::Schema& schema) {
  return fmt::format("{}", fmt::join(schema.field_names(), ", "));
}

Result<int> Find(const arrow::Schema& schema, const std::string& name, std::string_view role) {
  const int index = schema.GetFieldIndex(name);
  if (index < 0) {
    return Status::InvalidArgument(
        fmt::format("{} must be a column of the schema; got '{}', which "
                    "is none or several of: {}",
                    role, name, Names(schema)));
  }
  return index;
}

/// The number of elements of a vector column.
Result<std::size_t> DimensionOf(const arrow::Field& field) {
  const auto* list = field.type()->id() == arrow::Type::FIXED_SIZE_LIST
                         ? static_cast<const arrow::FixedSizeListType*>(field.type().get())
                         : nullptr;
  const auto element = list == nullptr ? arrow::Type::NA : list->value_type()->id();
  if ((element != arrow::Type::HALF_FLOAT && element != arrow::Type::FLOAT &&
       element != arrow::Type::DOUBLE) ||
      list->list_size() < 1) {
    return Status::InvalidArgument(fmt::format(
        "the vector column must be a fixed_size_list of float16, float32 or float64; '{}' is {}",
        field.name(), field.type()->ToString()));
  }
  return static_cast<std::size_t>(list->list_size());
}

Status CheckKey(const arrow::Field& field) {
  switch (field.type()->id()) {
    case arrow::Type::INT64:
    case arrow::Type::UINT64:
    case arrow::Type::STRING:
      return Status::Ok();
    default:
      return Status::InvalidArgument(
          fmt::format("the primary key must be int64, uint64 or utf8; '{}' is {}", field.name(),
                      field.type()->ToString()));
  }
}

Status CheckNames(const arrow::Schema& schema) {
  arrow::util::InitializeUTF8();
  for (const std::string& name : schema.field_names()) {
    if (!arrow::util::ValidateUTF8(name)) {
      return Status::InvalidArgument("column names must be UTF-8; one is not");
    }
    if (schema.GetAllFieldIndices(name).size() != 1) {
      return Status::InvalidArgument(
          fmt::format("column names must differ; '{}' is there several times", name));
    }
    for (const std::string_view taken : kResultColumns) {
      if (name == taken) {
        return Status::InvalidArgument(
            fmt::format("'{}' is a column of search results; give this one another name", name));
      }
    }
  }
  return Status::Ok();
}

bool IsText(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING ||
         type.id() == arrow::Type::STRING_VIEW;
}

bool IsBytes(const arrow::DataType& type) {
  return type.id() == arrow::Type::BINARY || type.id() == arrow::Type::LARGE_BINARY ||
         type.id() == arrow::Type::BINARY_VIEW;
}

bool IsList(const arrow::DataType& type) {
  return type.id() == arrow::Type::LIST || type.id() == arrow::Type::LARGE_LIST;
}

const arrow::DictionaryType& DictionaryOf(const arrow::DataType& type) {
  return static_cast<const arrow::DictionaryType&>(type);
}

/// Whether values of one can be written as the other, and mean the same.
bool SaysTheSame(const arrow::DataType& a, const arrow::DataType& b) {
  if (a.id() == arrow::Type::FIXED_SIZE_LIST && b.id() == a.id()) {
    const auto& one = static_cast<const arrow::FixedSizeListType&>(a);
    const auto& other = static_cast<const arrow::FixedSizeListType&>(b);
    return one.list_size() == other.list_size() &&
           SaysTheSame(*one.value_type(), *other.value_type());
  }
  if (IsList(a) && IsList(b)) {
    return SaysTheSame(*a.field(0)->type(), *b.field(0)->type());
  }
  if (a.id() == arrow::Type::DICTIONARY && b.id() == a.id()) {  // Of whatever indices.
    return SaysTheSame(*DictionaryOf(a).value_type(), *DictionaryOf(b).value_type());
  }
  return (IsText(a) && IsText(b)) || (IsBytes(a) && IsBytes(b)) || a.Equals(b);
}

Result<std::shared_ptr<arrow::Array>> ConformColumn(std::shared_ptr<arrow::Array> column,
                                                    const arrow::Field& field) {
  if (!SaysTheSame(*column->type(), *field.type())) {
    return Status::InvalidArgument(fmt::format("column '{}' must be {}; got {}; cast it first",
                                               field.name(), field.type()->ToString(),
                                               column->type()->ToString()));
  }
  if (!field.nullable() && column->null_count() > 0) {
    return Status::InvalidArgument(
        fmt::format("column '{}' must not have nulls; got {}", field.name(), column->null_count()));
  }
  if (column->type()->Equals(*field.type())) {
    return column;
  }
  auto cast = arrow::compute::Cast(*column, field.type()->GetSharedPtr());
  if (!cast.ok()) {
    return FromArrow(cast.status());
  }
  return *std::move(cast);
}

/// The first dictionary-encoded part for which choose(its type) is true; nullptr: there is none.
template <typename Choose>
const arrow::DataType* FindDictionary(const arrow::DataType& type, const Choose& choose) {
  if (type.id() == arrow::Type::EXTENSION) {
    return FindDictionary(*static_cast<const arrow::ExtensionType&>(type).storage_type(), choose);
  }
  if (type.id() == arrow::Type::DICTIONARY) {
    return choose(DictionaryOf(type)) ? &type
                                      : FindDictionary(*DictionaryOf(type).value_type(), choose);
  }
  for (const auto& field : type.fields()) {
    if (const arrow::DataType* const found = FindDictionary(*field->type(), choose)) {
      return found;
    }
  }
  return nullptr;
}

/// Why the dictionaries of all rows cannot be put together; empty: they can.
std::string_view WhyNotUnified(const arrow::DictionaryType& type) {
  const auto any = [](const arrow::DictionaryType&) { return true; };
  if (type.index_type()->byte_width() < 4) {
    return "indices must have 32 or 64 bits (those of rows that are put may have less)";
  }
  return FindDictionary(*type.value_type(), any) == nullptr
             ? ""
             : "its values must not have dictionaries themselves";
}

}  // namespace

Status TableSchema::CheckNew() const {
  for (const auto& field : schema_->fields()) {
    const arrow::DataType* const found = FindDictionary(
        *field->type(),
        [](const arrow::DictionaryType& type) { return !WhyNotUnified(type).empty(); });
    if (found != nullptr) {
      return Status::InvalidArgument(
          fmt::format("'{}' has {}; the values of all rows get one dictionary, so {}",
                      field->name(), found->ToString(), WhyNotUnified(DictionaryOf(*found))));
    }
  }
  return Status::Ok();
}

Result<TableSchema> TableSchema::Make(std::shared_ptr<arrow::Schema> schema,
                                      const std::string& vector_column,
                                      const std::optional<std::string>& primary_key) {
  if (Status names = CheckNames(*schema); !names.ok()) {
    return names;
  }
  const Result<int> vector = Find(*schema, vector_column, "the vector column");
  if (!vector.ok()) {
    return vector.status();
  }
  const Result<std::size_t> dim = DimensionOf(*schema->field(*vector));
  if (!dim.ok()) {
    return dim.status();
  }
  TableSchema made;
  made.vector_ = *vector;
  made.dim_ = *dim;
  if (primary_key.has_value()) {
    const Result<int> key = Find(*schema, *primary_key, "the primary key");
    if (!key.ok()) {
      return key.status();
    }
    if (Status type = CheckKey(*schema->field(*key)); !type.ok()) {
      return type;
    }
    made.key_ = *key;
  }
  made.schema_ = std::move(schema);
  return made;
}

Result<std::vector<std::byte>> TableSchema::Serialize() const {
  const auto buffer = arrow::ipc::SerializeSchema(*schema_);
  if (!buffer.ok()) {
    return Status::InvalidArgument(buffer.status().message());
  }
  const auto* data = reinterpret_cast<const std::byte*>((*buffer)->data());
  return std::vector<std::byte>(data, data + (*buffer)->size());
}

Result<std::shared_ptr<arrow::Schema>> TableSchema::ParseArrow(
    const std::vector<std::byte>& bytes) {
  const auto buffer = std::make_shared<arrow::Buffer>(
      reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<std::int64_t>(bytes.size()));
  arrow::io::BufferReader reader(buffer);
  arrow::ipc::DictionaryMemo dictionaries;
  auto schema = arrow::ipc::ReadSchema(&reader, &dictionaries);
  if (!schema.ok()) {
    return FromArrow(schema.status(), StatusCode::kCorruption);
  }
  return *std::move(schema);
}

Result<std::shared_ptr<arrow::RecordBatch>> TableSchema::Conform(
    const arrow::RecordBatch& batch) const {
  const arrow::Schema& given = *batch.schema();
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& field : schema_->fields()) {
    const std::vector<int> places = given.GetAllFieldIndices(field->name());
    if (places.size() != 1) {
      return Status::InvalidArgument(
          fmt::format("the table's column '{}' must be there once; the batch has it {} times, and "
                      "these columns: "
                      "{}",
                      field->name(), places.size(), Names(given)));
    }
    auto column = ConformColumn(batch.column(places[0]), *field);
    if (!column.ok()) {
      return column.status();
    }
    columns.push_back(*std::move(column));
  }
  if (given.num_fields() != schema_->num_fields()) {
    return Status::InvalidArgument(fmt::format(
        "expected the table's columns ({}), got {}; leave the others out, or make a table "
        "that has them",
        Names(*schema_), Names(given)));
  }
  if (key_.has_value() && columns[static_cast<std::size_t>(*key_)]->null_count() > 0) {
    return Status::InvalidArgument(fmt::format(
        "the primary key '{}' must be there in every row; {} are null",
        schema_->field(*key_)->name(), columns[static_cast<std::size_t>(*key_)]->null_count()));
  }
  return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns));
}

}  // namespace forebay::table
