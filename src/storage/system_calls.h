// The system calls that files take, with interruptions repeated and errors as Status.
//
// Thread safety: free functions; a Descriptor belongs to one thread at a time.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "forebay/status.h"

namespace forebay::storage {

/// "cannot <action> <path>: <what the system says>".
Status SystemError(std::string_view action, const std::filesystem::path& path, int error);

/// Repeats a system call for as long as signals interrupt it.
template <typename Call>
auto Uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

/// Owns a file descriptor, or none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  /// 0, or errno: some file systems report a failed write only here. Not repeated when a signal
  /// interrupts it, because Linux has given the descriptor up by then.
  int Close();
  /// Gives it to someone else to close.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Not open, and errno set, when the system refuses.
Descriptor Open(const std::filesystem::path& path, int flags);
/// The same for a name in an open directory, wherever that is by now.
Descriptor OpenAt(int directory, const std::string& name, int flags);

/// 0 or errno.
int WriteAll(int fd, std::span<const std::byte> bytes);

/// 0 or errno. What was written to the file, or, for a directory, the names in it are durable then.
int Sync(int fd);

/// The whole of an opened file, from where it is on; errno counts where it is not open. `path` is
/// for messages.
Result<std::vector<std::byte>> ReadAll(const Descriptor& file, const std::filesystem::path& path);

/// The bytes of a file, read only, from a multiple of 64 on, and what keeps them there: also when
/// the file is closed, removed or replaced, but not when it is cut.
struct MappedBytes {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

/// All `size` bytes of an opened regular file. `path` is for messages.
Result<MappedBytes> MapBytes(const Descriptor& file, std::size_t size,
                             const std::filesystem::path& path);

/// The whole of an opened regular file; errno counts where it is not open. `path` is for messages.
Result<MappedBytes> MapAll(const Descriptor& file, const std::filesystem::path& path);

/// For what must differ from all others; not for secrets.
Result<std::uint64_t> RandomNumber();

}  // namespace forebay::storage
