// Arrow out, to any Arrow library, through the PyCapsule protocol.
//
// Thread safety: ArrowBatch and ArrowFields are immutable. ArrowReader can be exported once, by one
// thread.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

namespace arrow {
class RecordBatch;
class RecordBatchReader;
class Schema;
}  // namespace arrow

namespace forebay::python {

/// A record batch: __arrow_c_array__.
class ArrowBatch {
 public:
  explicit ArrowBatch(std::shared_ptr<arrow::RecordBatch> batch) : batch_(std::move(batch)) {}

  /// The capsules of the schema and the array.
  [[nodiscard]] nanobind::typed<nanobind::tuple, nanobind::object, nanobind::object> Export() const;

 private:
  std::shared_ptr<arrow::RecordBatch> batch_;
};

/// A schema: __arrow_c_schema__.
class ArrowFields {
 public:
  explicit ArrowFields(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {}

  [[nodiscard]] nanobind::object Export() const;

 private:
  std::shared_ptr<arrow::Schema> schema_;
};

/// A record batch reader: __arrow_c_stream__.
class ArrowReader {
 public:
  explicit ArrowReader(std::shared_ptr<arrow::RecordBatchReader> reader)
      : reader_(std::move(reader)) {}

  [[nodiscard]] nanobind::object Export() const;

 private:
  std::shared_ptr<arrow::RecordBatchReader> reader_;
};

}  // namespace forebay::python
