#include "arrow_batch.h"

#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include "status_error.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

/// Ends one of Arrow's C structures: whoever took over its content has cleared `release`.
struct Release {
  template <typename Structure>
  void operator()(Structure* structure) const {
    if (structure->release != nullptr) {
      structure->release(structure);
    }
    delete structure;
  }
};

template <typename Structure>
using Owned = std::unique_ptr<Structure, Release>;

template <typename Structure>
nb::capsule ToCapsule(Owned<Structure> structure, const char* name) {
  nb::capsule capsule(structure.get(), name,
                      [](void* pointer) noexcept { Release()(static_cast<Structure*>(pointer)); });
  static_cast<void>(structure.release());
  return capsule;
}

}  // namespace

nb::typed<nb::tuple, nb::object, nb::object> ArrowBatch::Export() const {
  Owned<ArrowSchema> schema(new ArrowSchema{});
  Owned<ArrowArray> array(new ArrowArray{});
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
