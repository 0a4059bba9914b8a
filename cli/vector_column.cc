// The vector column of Arrow IPC and Parquet files.
#include "vector_column.h"

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "record_file.h"
#include "vector_formats.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExpectedType = "a fixed_size_list of float16, float32 or float64";

bool IsVectorColumn(const arrow::Field& field) {
  if (field.type()->id() != arrow::Type::FIXED_SIZE_LIST) {
    return false;
  }
  const auto element = field.type()->field(0)->type()->id();
  return element == arrow::Type::HALF_FLOAT || element == arrow::Type::FLOAT ||
         element == arrow::Type::DOUBLE;
}

std::string Describe(const arrow::Field& field) {
  return fmt::format("'{}' ({})", field.name(), field.type()->ToString());
}

std::string Describe(const std::vector<std::shared_ptr<arrow::Field>>& fields) {
  std::string text;
  for (const auto& field : fields) {
    text += (text.empty() ? "" : ", ") + Describe(*field);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

Result<int> ChooseVectorColumn(const fs::path& path, const arrow::Schema& schema,
                               const std::string& wanted, std::string_view option) {
  if (!wanted.empty()) {
    const int index = schema.GetFieldIndex(wanted);
    if (index < 0) {
      return Status::InvalidArgument(fmt::format("{}: expected one column '{}', its columns are {}",
                                                 path.string(), wanted, Describe(schema.fields())));
    }
    if (!IsVectorColumn(*schema.field(index))) {
      return Status::InvalidArgument(fmt::format("{}: expected {}, column {} is none",
                                                 path.string(), kExpectedType,
                                                 Describe(*schema.field(index))));
    }
    return index;
  }
  std::vector<std::shared_ptr<arrow::Field>> candidates;
  int index = 0;
  for (int i = 0; i < schema.num_fields(); ++i) {
    if (IsVectorColumn(*schema.field(i))) {
      candidates.push_back(schema.field(i));
      index = i;
    }
  }
  if (candidates.empty()) {
    return Status::InvalidArgument(
        fmt::format("{}: expected a column that is {}, its columns are {}", path.string(),
                    kExpectedType, Describe(schema.fields())));
  }
  if (candidates.size() > 1) {
    return Status::InvalidArgument(
        fmt::format("{}: more than one column holds vectors; choose with {} from {}", path.string(),
                    option, Describe(candidates)));
  }
  return index;
}

Result<VectorFile> ReadVectorColumn(const fs::path& path, const VectorFileOptions& options) {
  Result<RecordFile> records = RecordFile::Open(path);
  if (!records.ok()) {
    return records.status();
  }
  const Result<int> column = ChooseVectorColumn(path, *records->schema(), options.column);
  if (!column.ok()) {
    return column.status();
  }
  if (Status selected = records->Select(*column); !selected.ok()) {
    return selected;
  }
  VectorFile file;
  while (file.num_rows < options.max_rows) {
    const auto batch = records->Next();
    if (!batch.ok()) {
      return batch.status();
    }
    if (*batch == nullptr) {
      break;
    }
    const Status appended = AppendVectors(path, *(*batch)->column(0), options.max_rows, file);
    if (!appended.ok()) {
      return appended;
    }
  }
  if (file.num_rows == 0) {
    return CorruptFile(path, "expected at least one row, it has none");
  }
  return file;
}

}  // namespace forebay::cli
