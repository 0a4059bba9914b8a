// Status and Result<T>: how every fallible call of the public API answers.
//
// Thread safety: value types; distinct objects may be used from distinct threads.
//
// Invariants:
//   1. A Status with code kOk has an empty message; every other Status has a message that says
//      what was expected, what came, and what to do.
//   2. A Result holds a value or a Status that is not OK, never both and never neither.
//   3. os_error() is the errno of the system call that failed, for kIoError; else 0.
//   4. What returns a Status or a Result does not throw: a failed allocation is kOutOfMemory. What
//      returns a plain container (a read-back, say) can throw std::bad_alloc, and nothing else.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace forebay {

/// What kind of failure a Status reports.
enum class StatusCode {
  kOk = 0,
  kInvalidArgument,     ///< The caller's input is wrong; the same call can never succeed.
  kFailedPrecondition,  ///< The object is not in a state for this call (a second writer, say).
  kCapacityExceeded,    ///< A fixed limit would be exceeded; nothing was changed.
  kCorruption,          ///< Stored bytes are truncated, altered, or of another format.
  kIoError,             ///< The operating system refused a file operation.
  kCancelled,           ///< A progress callback asked to stop.
  kOutOfMemory,         ///< An allocation failed; nothing was changed.
  kUnsupported,         ///< This CPU or build lacks what the call needs.
};

/// The lower-case name of a code, such as "invalid argument".
std::string_view StatusCodeName(StatusCode code);

/// Success, or a code with a message.
class [[nodiscard]] Status {
 public:
  Status() = default;
  /// `code` is not kOk and `message` is not empty.
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {
    assert(code_ != StatusCode::kOk && !message_.empty());
  }

  static Status Ok() { return {}; }
  static Status InvalidArgument(std::string m) {
    return {StatusCode::kInvalidArgument, std::move(m)};
  }
  static Status FailedPrecondition(std::string m) {
    return {StatusCode::kFailedPrecondition, std::move(m)};
  }
  static Status CapacityExceeded(std::string m) {
    return {StatusCode::kCapacityExceeded, std::move(m)};
  }
  static Status Corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
  static Status IoError(std::string m, int os_error = 0) {
    Status status(StatusCode::kIoError, std::move(m));
    status.os_error_ = os_error;
    return status;
  }
  static Status Cancelled(std::string m) { return {StatusCode::kCancelled, std::move(m)}; }
  static Status OutOfMemory(std::string m) { return {StatusCode::kOutOfMemory, std::move(m)}; }
  static Status Unsupported(std::string m) { return {StatusCode::kUnsupported, std::move(m)}; }

  [[nodiscard]] bool ok() const { return code_ == StatusCode::kOk; }
  [[nodiscard]] StatusCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  /// errno, when the operating system refused something (ENOENT, ENOSPC, ...); else 0.
  [[nodiscard]] int os_error() const { return os_error_; }
  /// "ok", or "<code name>: <message>".
  [[nodiscard]] std::string ToString() const;

 private:
  StatusCode code_ = StatusCode::kOk;
  int os_error_ = 0;
  std::string message_;
};

/// A T, or the Status that says why there is none. Dereferencing one without a value is a
/// programmer error.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Status> {
  using Base = tl::expected<T, Status>;

 public:
  using Base::Base;
  // Implicit, so that both `return value;` and `return Status::...;` read as they should.
  // NOLINTBEGIN(google-explicit-constructor)
  Result(T value) : Base(std::move(value)) {}
  Result(Status status) : Base(tl::unexpect, std::move(status)) { assert(!this->error().ok()); }
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return this->has_value(); }
  /// OK when there is a value.
  [[nodiscard]] Status status() const { return ok() ? Status() : this->error(); }
};

}  // namespace forebay
