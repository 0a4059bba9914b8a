#include "record_file.h"

#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "record_sources.h"

namespace forebay::cli {
namespace {

namespace fs = std::filesystem;

struct Extension {
  std::string_view text;
  RecordFormat format;
};
constexpr std::array<Extension, 5> kExtensions = {{{".arrow", RecordFormat::kIpcFile},
                                                   {".arrows", RecordFormat::kIpcStream},
                                                   {".feather", RecordFormat::kIpcFile},
                                                   {".ipc", RecordFormat::kIpcFile},
                                                   {".parquet", RecordFormat::kParquet}}};

std::string LowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

}  // namespace

std::optional<RecordFormat> RecordFormatOf(const fs::path& path) {
  const std::string extension = LowerExtension(path);
  const auto* const found = std::find_if(kExtensions.begin(), kExtensions.end(),
                                         [&](const Extension& e) { return e.text == extension; });
  return found == kExtensions.end() ? std::nullopt : std::optional(found->format);
}

bool HasRecords(const fs::path& path) { return RecordFormatOf(path).has_value(); }

Result<RecordFile> RecordFile::Open(const fs::path& path) {
  const auto format = RecordFormatOf(path);
  if (!format.has_value()) {
    return Status::InvalidArgument(fmt::format(
        "{}: expected a file named .arrow, .arrows, .feather, .ipc or .parquet", path.string()));
  }
  auto source = format == RecordFormat::kParquet ? OpenParquet(path) : OpenIpc(path);
  return source.ok() ? Result<RecordFile>(RecordFile(*std::move(source)))
                     : Result<RecordFile>(source.status());
}

Result<RecordFile> RecordFile::FromStandardInput() {
  auto source = OpenStandardInput();
  return source.ok() ? Result<RecordFile>(RecordFile(*std::move(source)))
                     : Result<RecordFile>(source.status());
}

RecordFile::RecordFile(std::unique_ptr<Source> source) : source_(std::move(source)) {}
RecordFile::RecordFile(RecordFile&&) noexcept = default;
RecordFile& RecordFile::operator=(RecordFile&&) noexcept = default;
RecordFile::~RecordFile() = default;

const fs::path& RecordFile::path() const { return source_->path(); }

const std::shared_ptr<arrow::Schema>& RecordFile::schema() const { return source_->schema(); }

std::optional<std::uint64_t> RecordFile::num_rows() const { return source_->num_rows(); }

Status RecordFile::Select(std::optional<int> column) { return source_->Select(column); }

Result<std::shared_ptr<arrow::RecordBatch>> RecordFile::Next() {
  try {  // Parquet's own reader throws.
    auto batch = source_->ReadNext();
    if (!batch.ok()) {
      return FromArrow(path(), batch.status());
    }
    if (*batch == nullptr) {
      return std::shared_ptr<arrow::RecordBatch>();
    }
    // The lengths in a damaged file need not fit its buffers.
    if (const arrow::Status valid = (*batch)->Validate(); !valid.ok()) {
      return FromArrow(path(), valid);
    }
    return *std::move(batch);
  } catch (const std::exception& error) {
    return CorruptFile(path(), error.what());
  }
}

}  // namespace forebay::cli
