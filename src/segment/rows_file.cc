#include "segment/rows_file.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "segment/row_batches.h"

namespace forebay::segment {
namespace {

constexpr std::int32_t kAlignment = 64;

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

/// `code` is what a failure means here, unless memory ran out.
Status FromArrow(const arrow::Status& status, StatusCode code) {
  return {status.IsOutOfMemory() ? StatusCode::kOutOfMemory : code, status.message()};
}

/// Arrow writes to this. What fails is kept in `failed`, as Arrow has no errno.
class Sink final : public arrow::io::OutputStream {
 public:
  Sink(SegmentWriter* writer, Status* failed) : writer_(*writer), failed_(*failed) {}

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  [[nodiscard]] bool closed() const override { return closed_; }
  [[nodiscard]] arrow::Result<std::int64_t> Tell() const override {
    return static_cast<std::int64_t>(writer_.num_bytes());
  }
  arrow::Status Write(const void* data, std::int64_t num_bytes) override {
    failed_ =
        writer_.Append({static_cast<const std::byte*>(data), static_cast<std::size_t>(num_bytes)});
    return failed_.ok() ? arrow::Status::OK() : arrow::Status::IOError(failed_.message());
  }

 private:
  SegmentWriter& writer_;
  Status& failed_;
  bool closed_ = false;
};

/// Makes the metadata of messages so long that the buffers after them begin at a multiple of
/// kAlignment in the file. (Arrow's own writer, told to align, pads a file's messages to multiples
/// of it, but the first of them begins at 8.)
class AligningWriter final : public arrow::ipc::internal::IpcPayloadWriter {
 public:
  AligningWriter(std::unique_ptr<IpcPayloadWriter> behind, const Sink* sink)
      : behind_(std::move(behind)), sink_(*sink) {}

  arrow::Status Start() override { return behind_->Start(); }
  arrow::Status WritePayload(const arrow::ipc::IpcPayload& payload) override {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t begin, sink_.Tell());
    const std::int64_t end = begin + kMessagePrefixBytes + payload.metadata->size();
    const std::int64_t missing = (kAlignment - end % kAlignment) % kAlignment;
    ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> padding,
                          arrow::AllocateBuffer(missing));
    std::fill_n(padding->mutable_data(), missing, std::uint8_t{0});
    arrow::ipc::IpcPayload padded = payload;
    ARROW_ASSIGN_OR_RAISE(padded.metadata, arrow::ConcatenateBuffers({payload.metadata, padding}));
    return behind_->WritePayload(padded);
  }
  arrow::Status Close() override { return behind_->Close(); }

 private:
  /// A continuation marker and the metadata's length.
  static constexpr std::int64_t kMessagePrefixBytes = 8;

  const std::unique_ptr<IpcPayloadWriter> behind_;
  const Sink& sink_;
};

arrow::Result<std::unique_ptr<arrow::ipc::RecordBatchWriter>> MakeWriter(
    const std::shared_ptr<arrow::Schema>& schema, Sink* sink) {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.emit_dictionary_deltas = true;
  options.use_threads = false;
  ARROW_ASSIGN_OR_RAISE(auto file_writer,
                        arrow::ipc::internal::MakePayloadFileWriter(sink, schema, options));
  return arrow::ipc::internal::OpenRecordBatchWriter(
      std::make_unique<AligningWriter>(std::move(file_writer), sink), schema, options);
}

arrow::Status WriteCut(bool at_end, BatchCutter* cutter, arrow::ipc::RecordBatchWriter* writer) {
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto batch, cutter->Next(at_end));
    if (batch == nullptr) {
      return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*batch));
  }
}

/// What did not fail in Arrow is in `failed`.
arrow::Status WriteAll(const std::shared_ptr<arrow::Schema>& schema, const NextBatch& next,
                       SegmentWriter* file, Status* failed) {
  Sink sink(file, failed);
  ARROW_ASSIGN_OR_RAISE(const auto writer, MakeWriter(schema, &sink));
  BatchCutter cutter(schema);
  while (true) {
    auto batch = next();
    if (!batch.ok()) {
      *failed = batch.status();
      return arrow::Status::Cancelled("no more rows");
    }
    if (*batch == nullptr) {
      break;
    }
    ARROW_RETURN_NOT_OK(cutter.Add(**batch));
    ARROW_RETURN_NOT_OK(WriteCut(/*at_end=*/false, &cutter, writer.get()));
  }
  ARROW_RETURN_NOT_OK(WriteCut(/*at_end=*/true, &cutter, writer.get()));
  if (writer->stats().num_replaced_dictionaries > 0) {
    return arrow::Status::Invalid(
        "a dictionary whose values have a dictionary differs between rows: a file can have only "
        "one; put it without one of the two");
  }
  return writer->Close();
}

/// Keeps the mapping for as long as an array uses it.
class MappedBuffer final : public arrow::Buffer {
 public:
  explicit MappedBuffer(std::shared_ptr<const storage::Mapping> mapping)
      : arrow::Buffer(reinterpret_cast<const std::uint8_t*>(mapping->bytes().data()),
                      static_cast<std::int64_t>(mapping->bytes().size())),
        mapping_(std::move(mapping)) {}

 private:
  const std::shared_ptr<const storage::Mapping> mapping_;
};

arrow::Status CheckSizes(const Batches& batches) {
  for (const auto& batch : batches) {
    const std::int64_t expected = batches.front()->num_rows();
    const bool is_last = batch == batches.back();
    if (batch->num_rows() == 0 || batch->num_rows() > expected ||
        (!is_last && batch->num_rows() != expected)) {
      return arrow::Status::Invalid("expected batches of ", expected, " rows, got one of ",
                                    batch->num_rows());
    }
  }
  return arrow::Status::OK();
}

arrow::Result<Batches> ReadAll(std::shared_ptr<const storage::Mapping> mapping,
                               const arrow::Schema& expected, bool in_full) {
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  // Altered bytes may put a buffer anywhere.
  options.ensure_alignment = arrow::ipc::Alignment::kDataTypeSpecificAlignment;
  options.use_threads = false;
  const auto buffer = std::make_shared<MappedBuffer>(std::move(mapping));
  ARROW_ASSIGN_OR_RAISE(const auto reader,
                        arrow::ipc::RecordBatchFileReader::Open(
                            std::make_shared<arrow::io::BufferReader>(buffer), options));
  if (!reader->schema()->Equals(expected, /*check_metadata=*/false)) {
    return arrow::Status::Invalid("expected the schema\n", expected.ToString(), "\ngot\n",
                                  reader->schema()->ToString());
  }
  Batches batches;
  for (int i = 0; i < reader->num_record_batches(); ++i) {
    ARROW_ASSIGN_OR_RAISE(auto batch, reader->ReadRecordBatch(i));
    ARROW_RETURN_NOT_OK(in_full ? batch->ValidateFull() : batch->Validate());
    batches.push_back(std::move(batch));
  }
  ARROW_RETURN_NOT_OK(CheckSizes(batches));
  return batches;
}

}  // namespace

Result<FileSum> WriteRows(storage::Directory* directory, const std::string& name,
                          const std::shared_ptr<arrow::Schema>& schema, const NextBatch& next) {
  auto file = SegmentWriter::Create(directory, name);
  if (!file.ok()) {
    return file.status();
  }
  Status failed;
  const arrow::Status written = WriteAll(schema, next, file->get(), &failed);
  if (!failed.ok()) {
    return failed;
  }
  if (!written.ok()) {
    return FromArrow(written, StatusCode::kInvalidArgument);
  }
  return (*file)->Finish();
}

Result<Batches> ReadRows(std::shared_ptr<const storage::Mapping> mapping,
                         const arrow::Schema& expected, bool validate_in_full) {
  auto batches = ReadAll(std::move(mapping), expected, validate_in_full);
  if (!batches.ok()) {
    return FromArrow(batches.status(), StatusCode::kCorruption);
  }
  return *std::move(batches);
}

}  // namespace forebay::segment
