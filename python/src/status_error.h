// From forebay::Status to the exceptions of forebay/_errors.py.
//
// Thread safety: free functions without shared state.
#pragma once

#include <exception>
#include <utility>

#include "forebay/status.h"

namespace forebay::python {

/// Becomes the Python exception of the status's code, once it reaches nanobind.
class StatusError : public std::exception {
 public:
  explicit StatusError(Status status) : status_(std::move(status)) {}
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return status_.message().c_str(); }

 private:
  Status status_;
};

inline void ThrowIfError(const Status& status) {
  if (!status.ok()) {
    throw StatusError(status);
  }
}

/// The value, or throws.
template <typename T>
T ValueOrThrow(Result<T> result) {
  ThrowIfError(result.status());
  return *std::move(result);
}

/// Lets nanobind know StatusError.
void RegisterStatusError();

}  // namespace forebay::python
