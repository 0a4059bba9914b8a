#include "arrow_input.h"

#include <arrow/io/file.h>
#include <arrow/status.h>
#include <fmt/format.h>

#include <string>
#include <utility>

namespace forebay::cli {

namespace fs = std::filesystem;

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

}  // namespace forebay::cli
