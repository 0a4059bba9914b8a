// Standard input as Arrow reads it: no byte is waited for that was not asked for, so that a batch
// can be used as soon as it is there. (arrow::io::StdinStream drops what comes before the end when
// that is less than was asked for, arrow::io::BufferedInputStream waits until its buffer is full.)
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace forebay::cli {

class StandardInput final : public arrow::io::InputStream {
 public:
  arrow::Status Close() override;
  [[nodiscard]] bool closed() const override { return closed_; }
  [[nodiscard]] arrow::Result<std::int64_t> Tell() const override { return position_; }
  /// Less than `size` bytes only at the end.
  arrow::Result<std::int64_t> Read(std::int64_t size, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t size) override;
  arrow::Result<std::string_view> Peek(std::int64_t size) override;

 private:
  std::string peeked_;  // Comes before what is read next.
  std::int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace forebay::cli
