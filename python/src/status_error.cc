#include "status_error.h"

#include <nanobind/nanobind.h>

#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

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
    case StatusCode::kOutOfMemory:
      return "OutOfMemoryError";
    case StatusCode::kUnsupported:
      return "UnsupportedError";
    case StatusCode::kCancelled:  // By an exception, which is raised instead.
    case StatusCode::kOk:
      break;
  }
  return "Error";
}

void SetPythonError(const Status& status) {
  try {
    // Paths in messages may be any bytes, which Python spells like this.
    const auto message = nb::steal(
        PyUnicode_DecodeUTF8(status.message().data(),
                             static_cast<Py_ssize_t>(status.message().size()), "surrogateescape"));
    const nb::module_ errors = nb::module_::import_("forebay._errors");
    const nb::object error = status.os_error() != 0
                                 ? errors.attr("file_error")(message, status.os_error())
                                 : errors.attr(ExceptionName(status.code()))(message);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
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
    } catch (const std::system_error& error) {
      SetPythonError(Status::FailedPrecondition(std::string("cannot start a thread: ") +
                                                error.what() + "; end others, or raise limits"));
    }
  });
}

}  // namespace forebay::python
