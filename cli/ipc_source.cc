// Arrow IPC files and streams, and the same from standard input.
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "record_sources.h"
#include "standard_input.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIpcFileMagic = "ARROW1";
constexpr std::int64_t kIpcFileHeaderBytes = 8;  // The magic, padded; a stream follows.
constexpr std::string_view kFeatherV1Magic = "FEA1";
constexpr std::string_view kParquetMagic = "PAR1";

Status NoIpc(const fs::path& path, std::string_view why) {
  return CorruptFile(path, fmt::format("expected an Arrow IPC file or stream{}", why));
}

/// What the first bytes say; an error when they are of something else.
Result<bool> IsIpcFile(const fs::path& path, std::string_view start) {
  if (start.empty()) {
    return NoIpc(path, ", it is empty");
  }
  if (start.starts_with(kFeatherV1Magic)) {
    return CorruptFile(path, "expected Arrow IPC (Feather version 2), it is Feather version 1");
  }
  if (start.starts_with(kParquetMagic)) {
    return NoIpc(path, ", it is Parquet; give that by a file name that ends in .parquet");
  }
  return start == kIpcFileMagic;
}

class IpcSource final : public RecordFile::Source {
 public:
  IpcSource(const fs::path& path, InputFile input, bool is_file)
      : Source(path), input_(std::move(input)), is_file_(is_file) {}

  Status Start() {
    const arrow::Status opened = Reopen(arrow::ipc::IpcReadOptions::Defaults());
    if (!opened.ok()) {
      return NoIpc(path(), ": " + opened.message());
    }
    set_schema(is_file_ ? file_->schema() : stream_->schema());
    return Status::Ok();
  }

  [[nodiscard]] std::optional<std::uint64_t> num_rows() const override {
    if (file_ == nullptr) {
      return std::nullopt;
    }
    const auto count = file_->CountRows();
    return count.ok() ? std::optional(static_cast<std::uint64_t>(*count)) : std::nullopt;
  }

  Status Select(std::optional<int> column) override {
    auto options = arrow::ipc::IpcReadOptions::Defaults();
    if (column.has_value()) {
      options.included_fields = {*column};
    }
    const arrow::Status opened = Reopen(options);
    return opened.ok() ? Status::Ok() : FromArrow(path(), opened);
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadNext() override {
    if (!is_file_) {
      return stream_->Next();
    }
    if (next_ == file_->num_record_batches()) {
      return nullptr;
    }
    return file_->ReadRecordBatch(next_++);
  }

 private:
  arrow::Status Reopen(const arrow::ipc::IpcReadOptions& options) {
    ARROW_RETURN_NOT_OK(input_.arrow_file()->Seek(0));
    next_ = 0;
    if (is_file_) {
      return arrow::ipc::RecordBatchFileReader::Open(input_.arrow_file(), options).Value(&file_);
    }
    return arrow::ipc::RecordBatchStreamReader::Open(input_.arrow_file(), options).Value(&stream_);
  }

  InputFile input_;
  bool is_file_;
  int next_ = 0;
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> file_;      // One of these
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> stream_;  // two.
};

/// A file in Arrow's file format holds a stream, so both can be read from a pipe.
class PipeSource final : public RecordFile::Source {
 public:
  PipeSource(const fs::path& path, std::shared_ptr<StandardInput> input, bool is_file)
      : Source(path), input_(std::move(input)), is_file_(is_file) {}

  Status Start() {
    if (const arrow::Status opened = Open(); !opened.ok()) {
      return NoIpc(path(), ": " + opened.message());
    }
    set_schema(stream_->schema());
    return Status::Ok();
  }

  Status Select(std::optional<int> /*column*/) override {
    return Status::InvalidArgument("standard input can be read once only");
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadNext() override {
    ARROW_ASSIGN_OR_RAISE(auto batch, stream_->Next());
    if (batch == nullptr && !is_file_) {  // After a file's stream comes its footer.
      ARROW_ASSIGN_OR_RAISE(const auto rest, input_->Peek(1));
      if (!rest.empty()) {
        return arrow::Status::Invalid(
            "more bytes follow the end of the Arrow stream; send one stream at a time");
      }
    }
    return batch;
  }

 private:
  arrow::Status Open() {
    if (is_file_) {
      ARROW_RETURN_NOT_OK(input_->Advance(kIpcFileHeaderBytes));
    }
    return arrow::ipc::RecordBatchStreamReader::Open(input_).Value(&stream_);
  }

  std::shared_ptr<StandardInput> input_;
  bool is_file_;
  std::shared_ptr<arrow::ipc::RecordBatchStreamReader> stream_;
};

}  // namespace

Result<std::unique_ptr<RecordFile::Source>> OpenIpc(const fs::path& path) {
  Result<InputFile> input = InputFile::Open(path);
  if (!input.ok()) {
    return input.status();
  }
  std::array<char, kIpcFileMagic.size()> start = {};
  const std::size_t start_size = std::min<std::uint64_t>(start.size(), input->size());
  if (const Status read = input->ReadAt(0, start_size, start.data()); !read.ok()) {
    return read;
  }
  const Result<bool> is_file = IsIpcFile(path, {start.data(), start_size});
  if (!is_file.ok()) {
    return is_file.status();
  }
  auto source = std::make_unique<IpcSource>(path, *std::move(input), *is_file);
  if (Status started = source->Start(); !started.ok()) {
    return started;
  }
  return std::unique_ptr<RecordFile::Source>(std::move(source));
}

Result<std::unique_ptr<RecordFile::Source>> OpenStandardInput() {
  const fs::path name = "standard input";
  if (::isatty(STDIN_FILENO) == 1) {
    return Status::InvalidArgument(
        "standard input: expected Arrow IPC from a file or a pipe, it is a terminal; or give the "
        "names of files");
  }
  auto input = std::make_shared<StandardInput>();
  const auto start = input->Peek(kIpcFileMagic.size());
  if (!start.ok()) {
    return FromArrow(name, start.status());
  }
  const Result<bool> is_file = IsIpcFile(name, *start);
  if (!is_file.ok()) {
    return is_file.status();
  }
  auto source = std::make_unique<PipeSource>(name, std::move(input), *is_file);
  if (Status started = source->Start(); !started.ok()) {
    return started;
  }
  return std::unique_ptr<RecordFile::Source>(std::move(source));
}

}  // namespace forebay::cli
