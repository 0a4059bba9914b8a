// Rows as Arrow IPC, on standard output or in a file, and as Parquet.
#include <arrow/extension_type.h>
#include <arrow/io/interfaces.h>
#include <arrow/io/stdio.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <parquet/arrow/writer.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <utility>

#include "arrow_input.h"
#include "forebay/file.h"
#include "table/row_formats.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;
using Sink = std::shared_ptr<arrow::io::OutputStream>;

/// A NewFile as Arrow writes it; closing it is what finishes the file.
class NewFileSink final : public arrow::io::OutputStream {
 public:
  explicit NewFileSink(NewFile file) : file_(std::move(file)) {}

  arrow::Status Write(const void* data, std::int64_t size) override {
    const std::span bytes(static_cast<const std::byte*>(data), static_cast<std::size_t>(size));
    position_ += size;
    return ToArrow(file_.Append(bytes));
  }
  arrow::Status Close() override {
    closed_ = true;
    return ToArrow(file_.Finish());
  }
  [[nodiscard]] arrow::Result<std::int64_t> Tell() const override { return position_; }
  [[nodiscard]] bool closed() const override { return closed_; }

 private:
  static arrow::Status ToArrow(const Status& status) {
    return status.ok() ? arrow::Status::OK() : arrow::Status::IOError(status.message());
  }

  NewFile file_;
  std::int64_t position_ = 0;
  bool closed_ = false;
};

class IpcRows : public RowOutput {
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

 protected:
  [[nodiscard]] arrow::ipc::RecordBatchWriter& writer() const { return *writer_; }
  [[nodiscard]] Status ToStatus(const arrow::Status& status) const {
    return status.ok() ? Status::Ok() : FromArrow(name_, status);
  }

 private:
  fs::path name_;
  Sink sink_;
  std::shared_ptr<arrow::ipc::RecordBatchWriter> writer_;
};

/// In Arrow's file format a column has one dictionary, so all rows are collected before the first
/// is written. (Those of generations stay on disk, where they are mapped.)
class IpcRowsOfOneDictionary final : public IpcRows {
 public:
  using IpcRows::IpcRows;

  Status Write(const arrow::RecordBatch& rows) override {
    batches_.push_back(arrow::RecordBatch::Make(rows.schema(), rows.num_rows(), rows.columns()));
    return Status::Ok();
  }

  Status Finish() override {
    if (!batches_.empty()) {
      const auto all = arrow::Table::FromRecordBatches(batches_);
      Status written = ToStatus(all.ok() ? writer().WriteTable(**all) : all.status());
      if (!written.ok()) {
        return written;
      }
    }
    return IpcRows::Finish();
  }

 private:
  arrow::RecordBatchVector batches_;
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

bool HasDictionary(const arrow::DataType& type) {
  if (type.id() == arrow::Type::EXTENSION) {
    return HasDictionary(*static_cast<const arrow::ExtensionType&>(type).storage_type());
  }
  return type.id() == arrow::Type::DICTIONARY ||
         std::any_of(type.fields().begin(), type.fields().end(),
                     [](const auto& field) { return HasDictionary(*field->type()); });
}

Result<std::unique_ptr<RowOutput>> OpenIpcRows(const fs::path& name, const Sink& sink,
                                               const std::shared_ptr<arrow::Schema>& schema,
                                               bool is_file) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.unify_dictionaries = true;
  auto writer = is_file ? arrow::ipc::MakeFileWriter(sink, schema, options)
                        : arrow::ipc::MakeStreamWriter(sink, schema);
  if (!writer.ok()) {
    return FromArrow(name, writer.status());
  }
  if (is_file && HasDictionary(*arrow::struct_(schema->fields()))) {
    return std::make_unique<IpcRowsOfOneDictionary>(name, sink, *std::move(writer));
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

Result<std::unique_ptr<RowOutput>> FileRows(const fs::path& path, RecordFormat format,
                                            const std::shared_ptr<arrow::Schema>& schema) {
  Result<NewFile> file = NewFile::Create(path);
  if (!file.ok()) {
    return file.status();
  }
  const auto sink = std::make_shared<NewFileSink>(*std::move(file));
  return format == RecordFormat::kParquet
             ? OpenParquetRows(path, sink, *schema)
             : OpenIpcRows(path, sink, schema, format == RecordFormat::kIpcFile);
}

}  // namespace forebay::cli
