#include "table/log_record.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

#include <cstring>
#include <string>
#include <utility>

#include "table/arrow_status.h"

namespace forebay::table {
namespace {

/// About what a stream takes besides its batch: a stream that grows is copied.
constexpr std::int64_t kSchemaBytes = 4096;

arrow::Result<std::shared_ptr<arrow::Buffer>> WriteStream(const arrow::RecordBatch& batch) {
  std::int64_t size = 0;
  ARROW_RETURN_NOT_OK(arrow::ipc::GetRecordBatchSize(batch, &size));
  ARROW_ASSIGN_OR_RAISE(auto sink, arrow::io::BufferOutputStream::Create(size + kSchemaBytes));
  ARROW_ASSIGN_OR_RAISE(auto writer, arrow::ipc::MakeStreamWriter(sink, batch.schema()));
  ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(batch));
  ARROW_RETURN_NOT_OK(writer->Close());
  return sink->Finish();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadStream(
    std::shared_ptr<arrow::Buffer> payload, bool in_full) {
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  // A record begins at a multiple of 8 bytes only.
  options.ensure_alignment = arrow::ipc::Alignment::kDataTypeSpecificAlignment;
  ARROW_ASSIGN_OR_RAISE(
      auto reader, arrow::ipc::RecordBatchStreamReader::Open(
                       std::make_shared<arrow::io::BufferReader>(std::move(payload)), options));
  std::shared_ptr<arrow::RecordBatch> batch;
  std::shared_ptr<arrow::RecordBatch> none;
  ARROW_RETURN_NOT_OK(reader->ReadNext(&batch));
  if (batch != nullptr) {
    ARROW_RETURN_NOT_OK(reader->ReadNext(&none));
  }
  if (batch == nullptr || none != nullptr) {
    return arrow::Status::Invalid("expected a stream of one batch");
  }
  ARROW_RETURN_NOT_OK(in_full ? batch->ValidateFull() : batch->Validate());
  return batch;
}

}  // namespace

Result<std::shared_ptr<arrow::Buffer>> EncodePut(const arrow::RecordBatch& batch) {
  auto buffer = WriteStream(batch);
  if (!buffer.ok()) {
    return FromArrow(buffer.status());
  }
  return *std::move(buffer);
}

Result<std::shared_ptr<arrow::RecordBatch>> DecodePut(std::shared_ptr<arrow::Buffer> payload,
                                                      bool in_full) {
  auto batch = ReadStream(std::move(payload), in_full);
  if (!batch.ok()) {
    return FromArrow(batch.status(), StatusCode::kCorruption);
  }
  return *std::move(batch);
}

std::vector<std::byte> EncodeDelete(std::span<const std::uint64_t> row_ids) {
  const auto bytes = std::as_bytes(row_ids);
  return {bytes.begin(), bytes.end()};
}

Result<std::vector<std::uint64_t>> DecodeDelete(std::span<const std::byte> payload) {
  if (payload.size() % sizeof(std::uint64_t) != 0) {
    return Status::Corruption("expected row ids of 8 bytes each, got " +
                              std::to_string(payload.size()) + " bytes");
  }
  std::vector<std::uint64_t> row_ids(payload.size() / sizeof(std::uint64_t));
  if (!payload.empty()) {
    std::memcpy(row_ids.data(), payload.data(), payload.size());
  }
  return row_ids;
}

}  // namespace forebay::table
