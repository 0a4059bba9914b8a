#include "arrow_import.h"

#include <arrow/array/array_base.h>
#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <string>
#include <utility>

#include "status_error.h"

namespace nb = nanobind;

namespace forebay::python {
namespace {

template <typename Structure>
Structure* Content(nb::handle capsule, const char* name) {
  auto* const content = static_cast<Structure*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (content == nullptr) {
    throw nb::python_error();
  }
  return content;
}

template <typename T>
T ValueOrThrow(arrow::Result<T> result, const char* what) {
  if (!result.ok()) {
    throw StatusError(Status::InvalidArgument(std::string("expected a valid Arrow ") + what + "; " +
                                              result.status().ToString()));
  }
  return *std::move(result);
}

/// What `import` (ImportArray, ImportRecordBatch) makes of the two capsules.
template <typename Import>
auto FromCapsules(nb::handle array, const char* what, const Import& import) {
  const auto capsules = nb::cast<nb::tuple>(array.attr("__arrow_c_array__")());
  auto* const schema = Content<ArrowSchema>(capsules[0], "arrow_schema");
  auto* const content = Content<ArrowArray>(capsules[1], "arrow_array");
  return ValueOrThrow(import(content, schema), what);
}

}  // namespace

std::shared_ptr<arrow::Array> ImportArray(nb::handle array) {
  return FromCapsules(array, "array", [](ArrowArray* content, ArrowSchema* schema) {
    return arrow::ImportArray(content, schema);
  });
}

std::shared_ptr<arrow::RecordBatch> ImportBatch(nb::handle batch) {
  return FromCapsules(batch, "batch", [](ArrowArray* content, ArrowSchema* schema) {
    return arrow::ImportRecordBatch(content, schema);
  });
}

std::shared_ptr<arrow::Schema> ImportSchema(nb::handle schema) {
  const nb::object capsule = schema.attr("__arrow_c_schema__")();
  return ValueOrThrow(arrow::ImportSchema(Content<ArrowSchema>(capsule, "arrow_schema")), "schema");
}

}  // namespace forebay::python
