// Arrow IPC files and streams, Parquet files, and the calls into Arrow that all formats share.
#include <arrow/array/array_base.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>

#include <algorithm>
#include <array>
#include <exception>
#include <vector>

#include "forebay/arrow.h"
#include "vector_formats.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExpectedType = "a fixed_size_list of float16, float32 or float64";
constexpr std::string_view kIpcFileMagic = "ARROW1";
constexpr std::string_view kFeatherV1Magic = "FEA1";

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

/// The index of the wanted column, or of the only one that holds vectors.
Result<int> ChooseColumn(const fs::path& path, const arrow::Schema& schema,
                         const std::string& wanted) {
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
        fmt::format("{}: more than one column holds vectors; choose with --column from {}",
                    path.string(), Describe(candidates)));
  }
  return index;
}

/// Reads batches of one column until there are no more, or enough rows.
Result<VectorFile> ReadBatches(const fs::path& path, arrow::RecordBatchReader& reader,
                               const VectorFileOptions& options) {
  VectorFile file;
  while (file.num_rows < options.max_rows) {
    const auto batch = reader.Next();
    if (!batch.ok()) {
      return FromArrow(path, batch.status());
    }
    if (*batch == nullptr) {
      break;
    }
    // The lengths in a damaged file need not fit its buffers.
    if (const arrow::Status valid = (*batch)->Validate(); !valid.ok()) {
      return FromArrow(path, valid);
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

/// An IPC file as a sequence of batches, like a stream.
class BatchesOfFile : public arrow::RecordBatchReader {
 public:
  explicit BatchesOfFile(std::shared_ptr<arrow::ipc::RecordBatchFileReader> file)
      : file_(std::move(file)) {}

  [[nodiscard]] std::shared_ptr<arrow::Schema> schema() const override { return file_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    if (next_ == file_->num_record_batches()) {
      *batch = nullptr;
      return arrow::Status::OK();
    }
    return file_->ReadRecordBatch(next_++).Value(batch);
  }

 private:
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> file_;
  int next_ = 0;
};

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenIpc(
    const InputFile& input, bool is_file, const arrow::ipc::IpcReadOptions& options) {
  ARROW_RETURN_NOT_OK(input.arrow_file()->Seek(0));
  if (!is_file) {
    return arrow::ipc::RecordBatchStreamReader::Open(input.arrow_file().get(), options);
  }
  ARROW_ASSIGN_OR_RAISE(auto file,
                        arrow::ipc::RecordBatchFileReader::Open(input.arrow_file().get(), options));
  return std::make_shared<BatchesOfFile>(std::move(file));
}

/// The leaf column that holds the numbers of a top-level fixed_size_list column.
Result<int> LeafColumn(const fs::path& path, const parquet::arrow::SchemaField& field) {
  const parquet::arrow::SchemaField* leaf = &field;
  while (!leaf->is_leaf() && leaf->children.size() == 1) {
    leaf = &leaf->children.front();
  }
  if (!leaf->is_leaf()) {
    return CorruptFile(path, "its vector column is stored in more than one part");
  }
  return leaf->column_index;
}

Result<VectorFile> ReadOpenParquet(const fs::path& path, parquet::arrow::FileReader& reader,
                                   const VectorFileOptions& options) {
  std::shared_ptr<arrow::Schema> schema;
  if (const arrow::Status status = reader.GetSchema(&schema); !status.ok()) {
    return FromArrow(path, status);
  }
  const Result<int> column = ChooseColumn(path, *schema, options.column);
  if (!column.ok()) {
    return column.status();
  }
  const auto& field = reader.manifest().schema_fields[static_cast<std::size_t>(*column)];
  const Result<int> leaf = LeafColumn(path, field);
  if (!leaf.ok()) {
    return leaf.status();
  }
  std::vector<int> row_groups(static_cast<std::size_t>(reader.num_row_groups()));
  for (int i = 0; i < reader.num_row_groups(); ++i) {
    row_groups[static_cast<std::size_t>(i)] = i;
  }
  const auto batches = reader.GetRecordBatchReader(row_groups, {*leaf});
  if (!batches.ok()) {
    return FromArrow(path, batches.status());
  }
  return ReadBatches(path, **batches, options);
}

}  // namespace

Status CorruptFile(const fs::path& path, std::string_view message) {
  return Status::Corruption(fmt::format("{}: {}", path.string(), message));
}

Status FromArrow(const fs::path& path, const arrow::Status& status) {
  std::string message = fmt::format("{}: {}", path.string(), status.message());
  if (status.IsIOError()) {
    return Status::IoError(std::move(message));
  }
  if (status.IsOutOfMemory()) {
    return Status::OutOfMemory(std::move(message));
  }
  return Status::Corruption(std::move(message));
}

Result<InputFile> InputFile::Open(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return Status::IoError(fmt::format("{}: expected a file, it is a directory", path.string()));
  }
  const auto opened = arrow::io::ReadableFile::Open(path.string());
  if (!opened.ok()) {
    const auto& detail = opened.status().detail();  // "[errno 2] No such file or directory".
    return Status::IoError(
        fmt::format("{}: cannot open it: {}", path.string(),
                    detail == nullptr ? opened.status().message() : detail->ToString()));
  }
  const auto size = (*opened)->GetSize();
  if (!size.ok()) {
    return FromArrow(path, size.status());
  }
  InputFile file;
  file.path_ = path;
  file.file_ = *opened;
  file.size_ = static_cast<std::uint64_t>(*size);
  return file;
}

Status InputFile::ReadAt(std::uint64_t offset, std::size_t size, void* out) const {
  const auto count =
      file_->ReadAt(static_cast<std::int64_t>(offset), static_cast<std::int64_t>(size), out);
  if (!count.ok()) {
    return FromArrow(path_, count.status());
  }
  if (static_cast<std::size_t>(*count) != size) {
    return CorruptFile(path_, "it became shorter while it was read");
  }
  return Status::Ok();
}

Status AppendVectors(const fs::path& path, const arrow::Array& vectors, std::size_t max_rows,
                     VectorFile& out) {
  const Result<ArrowVectors> converted = ArrowVectors::Make(vectors);
  if (!converted.ok()) {
    return CorruptFile(path, converted.status().message());
  }
  const VectorBatch batch = converted->batch(0);
  const std::size_t rows = std::min(batch.vectors.num_rows, max_rows - out.num_rows);
  for (std::size_t i = 0; batch.validity != nullptr && i < rows; ++i) {
    const std::size_t bit = batch.validity_offset + i;
    if ((batch.validity[bit / 8] >> (bit % 8) & 1U) == 0) {
      return CorruptFile(
          path, fmt::format("expected a vector in every row, row {} has a null", out.num_rows + i));
    }
  }
  const float* values = batch.vectors.data;
  out.dim = batch.vectors.dim;
  out.values.insert(out.values.end(), values, values + rows * out.dim);
  out.num_rows += rows;
  return Status::Ok();
}

Result<VectorFile> ReadArrowIpc(const fs::path& path, const VectorFileOptions& options) {
  const Result<InputFile> input = InputFile::Open(path);
  if (!input.ok()) {
    return input.status();
  }
  std::array<char, kIpcFileMagic.size()> start = {};
  const std::size_t start_size = std::min<std::uint64_t>(start.size(), input->size());
  if (const Status read = input->ReadAt(0, start_size, start.data()); !read.ok()) {
    return read;
  }
  const std::string_view magic(start.data(), start_size);
  if (magic.empty()) {
    return CorruptFile(path, "expected an Arrow IPC file or stream, it is empty");
  }
  if (magic.substr(0, kFeatherV1Magic.size()) == kFeatherV1Magic) {
    return CorruptFile(path, "expected Arrow IPC (Feather version 2), it is Feather version 1");
  }
  const bool is_file = magic == kIpcFileMagic;

  auto read_options = arrow::ipc::IpcReadOptions::Defaults();
  auto reader = OpenIpc(*input, is_file, read_options);
  if (!reader.ok()) {
    return CorruptFile(
        path, fmt::format("expected an Arrow IPC file or stream: {}", reader.status().message()));
  }
  const Result<int> column = ChooseColumn(path, *(*reader)->schema(), options.column);
  if (!column.ok()) {
    return column.status();
  }
  read_options.included_fields = {*column};
  reader = OpenIpc(*input, is_file, read_options);
  if (!reader.ok()) {
    return FromArrow(path, reader.status());
  }
  return ReadBatches(path, **reader, options);
}

Result<VectorFile> ReadParquet(const fs::path& path, const VectorFileOptions& options) {
  const Result<InputFile> input = InputFile::Open(path);
  if (!input.ok()) {
    return input.status();
  }
  try {  // Parquet's own reader throws.
    auto reader = parquet::arrow::OpenFile(input->arrow_file(), arrow::default_memory_pool());
    if (!reader.ok()) {
      return CorruptFile(path,
                         fmt::format("expected a Parquet file: {}", reader.status().message()));
    }
    return ReadOpenParquet(path, **reader, options);
  } catch (const std::exception& error) {
    return CorruptFile(path, fmt::format("expected a Parquet file: {}", error.what()));
  }
}

}  // namespace forebay::cli
