// ArrowBatch: a record batch for any Arrow library, through the PyCapsule protocol.
//
// Thread safety: immutable.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

namespace arrow {
class RecordBatch;
}  // namespace arrow

namespace forebay::python {

class ArrowBatch {
 public:
  explicit ArrowBatch(std::shared_ptr<arrow::RecordBatch> batch) : batch_(std::move(batch)) {}

  /// The two capsules of __arrow_c_array__.
  [[nodiscard]] nanobind::typed<nanobind::tuple, nanobind::object, nanobind::object> Export() const;

 private:
  std::shared_ptr<arrow::RecordBatch> batch_;
};

void BindArrowBatch(nanobind::module_& module);

}  // namespace forebay::python
