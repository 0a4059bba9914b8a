#include "status_error.h"

#include <nanobind/nanobind.h>

#include <new>
#include <stdexcept>

namespace nb = nanobind;

namespace forebay::python {
namespace {

const char* ExceptionName(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
      return "InvalidArgumentError";
    case StatusCode::kFailedPrecondition:
      return "FailedPreconditionError";
    case StatusCode::kCapacityExceeded:
      return "CapacityExceededError";
    case StatusCode::kCorruption:
      return "CorruptionError";
    case StatusCode::kIoError:
      return "FileError";
    case StatusCode::kCancelled:
      return "CancelledError";
    case StatusCode::kOutOfMemory:
      return "OutOfMemoryError";
    case StatusCode::kUnsupported:
      return "UnsupportedError";
    case StatusCode::kOk:
      break;
  }
  return "Error";
}

void SetPythonError(const Status& status) {
  try {
    const nb::object type =
        nb::module_::import_("forebay._errors").attr(ExceptionName(status.code()));
    PyErr_SetString(type.ptr(), status.message().c_str());
  } catch (nb::python_error& error) {
    error.restore();
  }
}

}  // namespace

void RegisterStatusError() {
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const StatusError& error) {
      SetPythonError(error.status());
    } catch (const std::bad_alloc&) {
      SetPythonError(Status::OutOfMemory("an allocation failed; free memory or ask for less"));
    } catch (const std::length_error&) {
      SetPythonError(Status::OutOfMemory("that is larger than any memory; ask for less"));
    }
  });
}

}  // namespace forebay::python
