// Arrow in, from any Arrow library, through the PyCapsule protocol. Memory is shared, not copied.
//
// Thread safety: free functions, to be called with the GIL; what they return needs it no more.
// Throws StatusError (kInvalidArgument), or what the object itself raises.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

namespace arrow {
class Array;
class RecordBatch;
class Schema;
}  // namespace arrow

namespace forebay::python {

/// `array` implements __arrow_c_array__.
std::shared_ptr<arrow::Array> ImportArray(nanobind::handle array);
/// The same; of a struct type.
std::shared_ptr<arrow::RecordBatch> ImportBatch(nanobind::handle batch);
/// `schema` implements __arrow_c_schema__.
std::shared_ptr<arrow::Schema> ImportSchema(nanobind::handle schema);

}  // namespace forebay::python
