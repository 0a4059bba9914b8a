#include "arrow_batch.h"

#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include "status_error.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

/// A capsule that owns a C structure: whoever takes over its content clears `release`.
template <typename Structure>
nb::capsule ToCapsule(std::unique_ptr<Structure> structure, const char* name) {
  return {structure.release(), name, [](void* pointer) noexcept {
            const std::unique_ptr<Structure> owned(static_cast<Structure*>(pointer));
            if (owned->release != nullptr) {
              owned->release(owned.get());
            }
          }};
}

}  // namespace

nb::typed<nb::tuple, nb::object, nb::object> ArrowBatch::Export() const {
  auto schema = std::make_unique<ArrowSchema>();
  auto array = std::make_unique<ArrowArray>();
  const arrow::Status exported = arrow::ExportRecordBatch(*batch_, array.get(), schema.get());
  if (!exported.ok()) {
    throw StatusError(Status::OutOfMemory("cannot export a batch: " + exported.ToString()));
  }
  return nb::make_tuple(ToCapsule(std::move(schema), "arrow_schema"),
                        ToCapsule(std::move(array), "arrow_array"));
}

void BindArrowBatch(nb::module_& module) {
  nb::class_<ArrowBatch>(module, "ArrowBatch", "A record batch for any Arrow library.")
      .def(
          "__arrow_c_array__",
          [](const ArrowBatch& self, const nb::object&) { return self.Export(); },
          "requested_schema"_a = nb::none());
}

}  // namespace forebay::python
