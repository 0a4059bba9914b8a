// Rows as Arrow IPC, on standard output or in a file, and as Parquet.
#include <arrow/io/file.h>
#include <arrow/io/stdio.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include <exception>
#include <functional>
#include <system_error>
#include <utility>

#include "arrow_input.h"
#include "record_file.h"
#include "table/row_formats.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;
using Sink = std::shared_ptr<arrow::io::OutputStream>;

class IpcRows final : public RowOutput {
 public:
  IpcRows(fs::path name, Sink sink, std::shared_ptr<arrow::ipc::RecordBatchWriter> writer)
      : name_(std::move(name)), sink_(std::move(sink)), writer_(std::move(writer)) {}

  Status Write(const arrow::RecordBatch& rows) override {
    return ToStatus(writer_->WriteRecordBatch(rows));
  }

  Status Finish() override {
    const arrow::Status closed = writer_->Close();
    return ToStatus(closed.ok() ? sink_->Close() : closed);
  }

 private:
  [[nodiscard]] Status ToStatus(const arrow::Status& status) const {
    return status.ok() ? Status::Ok() : FromArrow(name_, status);
  }

  fs::path name_;
  Sink sink_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

class ParquetRows final : public RowOutput {
 public:
  ParquetRows(fs::path name, Sink sink, std::unique_ptr<parquet::arrow::FileWriter> writer)
      : name_(std::move(name)), sink_(std::move(sink)), writer_(std::move(writer)) {}

  Status Write(const arrow::RecordBatch& rows) override {
    return Try([&] { return writer_->WriteRecordBatch(rows); });
  }

  Status Finish() override {
    return Try([&] {
      const arrow::Status closed = writer_->Close();
      return closed.ok() ? sink_->Close() : closed;
    });
  }

 private:
  [[nodiscard]] Status Try(const std::function<arrow::Status()>& write) const {
    try {  // Parquet's own writer throws.
      const arrow::Status status = write();
      return status.ok() ? Status::Ok() : FromArrow(name_, status);
    } catch (const std::exception& error) {
      return Status::IoError(fmt::format("{}: {}", name_.string(), error.what()));
    }
  }

  fs::path name_;
  Sink sink_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

Result<std::unique_ptr<RowOutput>> OpenIpcRows(const fs::path& name, const Sink& sink,
                                               const std::shared_ptr<arrow::Schema>& schema,
                                               bool is_file) {
  auto writer = is_file ? arrow::ipc::MakeFileWriter(sink, schema)
                        : arrow::ipc::MakeStreamWriter(sink, schema);
  if (!writer.ok()) {
    return FromArrow(name, writer.status());
  }
  return std::make_unique<IpcRows>(name, sink, *std::move(writer));
}

/// With Arrow's schema in it, so that vectors come back as fixed_size_list.
Result<std::unique_ptr<RowOutput>> OpenParquetRows(const fs::path& name, const Sink& sink,
                                                   const arrow::Schema& schema) {
  const auto properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  auto writer = parquet::arrow::FileWriter::Open(schema, arrow::default_memory_pool(), sink,
                                                 parquet::default_writer_properties(), properties);
  if (!writer.ok()) {
    return FromArrow(name, writer.status());
  }
  return std::make_unique<ParquetRows>(name, sink, *std::move(writer));
}

}  // namespace

Result<std::unique_ptr<RowOutput>> ArrowRows(const std::shared_ptr<arrow::Schema>& schema) {
  return OpenIpcRows("standard output", std::make_shared<arrow::io::StdoutStream>(), schema,
                     /*is_file=*/false);
}

Result<std::unique_ptr<RowOutput>> FileRows(const fs::path& path,
                                            const std::shared_ptr<arrow::Schema>& schema) {
  if (!HasRecords(path)) {
    return Status::InvalidArgument(
        fmt::format("{}: expected a name that ends in .parquet, .arrow, .feather, .ipc or .arrows",
                    path.string()));
  }
  const auto sink = arrow::io::FileOutputStream::Open(path.string());
  if (!sink.ok()) {
    return Status::IoError(fmt::format("cannot write {}: {}", path.string(),
                                       sink.status().detail() == nullptr
                                           ? sink.status().message()
                                           : sink.status().detail()->ToString()));
  }
  return path.extension() == ".parquet"
             ? OpenParquetRows(path, *sink, *schema)
             : OpenIpcRows(path, *sink, schema, path.extension() != ".arrows");
}

}  // namespace forebay::cli
