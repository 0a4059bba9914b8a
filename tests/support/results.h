// Status and Result<T> in tests.
//
// Thread safety: free functions without shared state.
#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "forebay/status.h"

namespace forebay {

inline void PrintTo(const Status& status, std::ostream* out) { *out << status.ToString(); }
template <typename T>
void PrintTo(const Result<T>& result, std::ostream* out) {
  *out << (result.ok() ? "a value" : result.error().ToString());
}

}  // namespace forebay

namespace forebay::testing {

inline Status ToStatus(const Status& status) { return status; }
template <typename T>
Status ToStatus(const Result<T>& result) {
  return result.status();
}

/// The value; throws what went wrong when there is none, which fails the test.
template <typename T>
T Value(Result<T> result) {
  if (!result.ok()) {
    throw std::runtime_error(result.error().ToString());
  }
  return *std::move(result);
}

/// A Status or Result<T> that is OK.
MATCHER(Succeeds, "is OK") { return ToStatus(arg).ok(); }

/// A Status or Result<T> with this code and a message that has `part` in it.
MATCHER_P2(FailsWith, code, part,
           "is '" + std::string(StatusCodeName(code)) + "' with '" + std::string(part) + "'") {
  const Status status = ToStatus(arg);
  return status.code() == code && status.message().find(part) != std::string::npos;
}

/// The commonest failure.
inline auto IsInvalid(const char* part) { return FailsWith(StatusCode::kInvalidArgument, part); }

}  // namespace forebay::testing
