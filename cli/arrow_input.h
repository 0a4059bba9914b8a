// What all readers of files share: an open file, and Arrow's errors with the file's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "forebay/status.h"

namespace arrow {
class Status;
namespace io {
class RandomAccessFile;
}  // namespace io
}  // namespace arrow

namespace forebay::cli {

/// "PATH: message".
Status CorruptFile(const std::filesystem::path& path, std::string_view message);
Status FromArrow(const std::filesystem::path& path, const arrow::Status& status);

/// An open file that is read at positions.
class InputFile {
 public:
  static Result<InputFile> Open(const std::filesystem::path& path);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::shared_ptr<arrow::io::RandomAccessFile>& arrow_file() const {
    return file_;
  }
  /// All of [offset, offset + size), which lies within the file.
  Status ReadAt(std::uint64_t offset, std::size_t size, void* out) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  std::uint64_t size_ = 0;
};

}  // namespace forebay::cli
