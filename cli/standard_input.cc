#include "standard_input.h"

#include <arrow/buffer.h>
#include <arrow/status.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace forebay::cli {
namespace {

arrow::Result<std::size_t> ReadFully(char* out, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ::ssize_t count = ::read(STDIN_FILENO, out + done, size - done);
    if (count == 0) {
      break;
    }
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      return arrow::Status::IOError(std::generic_category().message(errno));
    }
  }
  return done;
}

}  // namespace

arrow::Status StandardInput::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

arrow::Result<std::int64_t> StandardInput::Read(std::int64_t size, void* out) {
  auto* const bytes = static_cast<char*>(out);
  const auto wanted = static_cast<std::size_t>(size);
  const std::size_t known = peeked_.copy(bytes, wanted);
  peeked_.erase(0, known);
  ARROW_ASSIGN_OR_RAISE(const std::size_t more, ReadFully(bytes + known, wanted - known));
  position_ += static_cast<std::int64_t>(known + more);
  return static_cast<std::int64_t>(known + more);
}

arrow::Result<std::shared_ptr<arrow::Buffer>> StandardInput::Read(std::int64_t size) {
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(size));
  ARROW_ASSIGN_OR_RAISE(const std::int64_t count, Read(size, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(count));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

arrow::Result<std::string_view> StandardInput::Peek(std::int64_t size) {
  const std::size_t known = peeked_.size();
  const auto wanted = static_cast<std::size_t>(size);
  if (known < wanted) {
    peeked_.resize(wanted);
    ARROW_ASSIGN_OR_RAISE(const std::size_t more,
                          ReadFully(peeked_.data() + known, wanted - known));
    peeked_.resize(known + more);
  }
  return std::string_view(peeked_).substr(0, wanted);
}

}  // namespace forebay::cli
