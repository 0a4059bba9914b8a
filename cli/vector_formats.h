// The readers behind ReadVectorFile, one for each format, and what they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "forebay/status.h"
#include "vector_file.h"

namespace arrow {
class Array;
class Status;
namespace io {
class RandomAccessFile;
}  // namespace io
}  // namespace arrow

namespace forebay::cli {

Result<VectorFile> ReadNpy(const std::filesystem::path& path, const VectorFileOptions& options);
Result<VectorFile> ReadFvecs(const std::filesystem::path& path, const VectorFileOptions& options);
Result<VectorFile> ReadArrowIpc(const std::filesystem::path& path,
                                const VectorFileOptions& options);
Result<VectorFile> ReadParquet(const std::filesystem::path& path, const VectorFileOptions& options);

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

/// Appends the rows of a fixed_size_list array to `out`, up to max_rows in all. Nulls are an error.
Status AppendVectors(const std::filesystem::path& path, const arrow::Array& vectors,
                     std::size_t max_rows, VectorFile& out);

}  // namespace forebay::cli
