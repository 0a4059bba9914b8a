#include "arrow_export.h"

#include <arrow/c/abi.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <string>

#include "bindings.h"
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

void ThrowIfNotExported(const arrow::Status& status, const char* what) {
  if (!status.ok()) {
    throw StatusError(
        Status::OutOfMemory(std::string("cannot export ") + what + ": " + status.ToString()));
  }
}

}  // namespace

nb::typed<nb::tuple, nb::object, nb::object> ArrowBatch::Export() const {
  Owned<ArrowSchema> schema(new ArrowSchema{});
  Owned<ArrowArray> array(new ArrowArray{});
  ThrowIfNotExported(arrow::ExportRecordBatch(*batch_, array.get(), schema.get()), "a batch");
  return nb::make_tuple(ToCapsule(std::move(schema), "arrow_schema"),
                        ToCapsule(std::move(array), "arrow_array"));
}

nb::object ArrowFields::Export() const {
  Owned<ArrowSchema> schema(new ArrowSchema{});
  ThrowIfNotExported(arrow::ExportSchema(*schema_, schema.get()), "a schema");
  return ToCapsule(std::move(schema), "arrow_schema");
}

nb::object ArrowReader::Export() const {
  Owned<ArrowArrayStream> stream(new ArrowArrayStream{});
  ThrowIfNotExported(arrow::ExportRecordBatchReader(reader_, stream.get()), "a reader");
  return ToCapsule(std::move(stream), "arrow_array_stream");
}

void BindArrowExport(nb::module_& module) {
  nb::class_<ArrowBatch>(module, "ArrowBatch", "A record batch for any Arrow library.")
      .def(
          "__arrow_c_array__",
          [](const ArrowBatch& self, const nb::object&) { return self.Export(); },
          "requested_schema"_a = nb::none());
  nb::class_<ArrowFields>(module, "ArrowFields", "A schema for any Arrow library.")
      .def("__arrow_c_schema__", &ArrowFields::Export);
  nb::class_<ArrowReader>(module, "ArrowReader", "A record batch reader for any Arrow library.")
      .def(
          "__arrow_c_stream__",
          [](const ArrowReader& self, const nb::object&) { return self.Export(); },
          "requested_schema"_a = nb::none());
}

}  // namespace forebay::python
