#include "vectors.h"

#include <arrow/array/array_base.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <new>
#include <utility>

#include "arrow_import.h"
#include "bindings.h"
#include "gil.h"
#include "status_error.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
Vectors::Vectors(FloatRows rows) : dim_(rows.shape(1)), numpy_(std::move(rows)) {
  VectorBatch& batch = batches_.emplace_back();
  batch.vectors = {numpy_.data(), numpy_.shape(0), dim_};
}

Vectors::Vectors(const std::vector<nb::object>& chunks, std::size_t dim) : dim_(dim) {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrays.reserve(chunks.size());
  for (const nb::object& chunk : chunks) {
    arrays.push_back(ImportArray(chunk));
  }
  const ReleaseGil released;  // float64 and float16 are converted now.
  for (const auto& array : arrays) {
    arrow_.push_back(ValueOrThrow(ArrowVectors::Make(*array)));
  }
  for (const ArrowVectors& rows : arrow_) {
    batches_.push_back(rows.batch(0));
  }
}

std::size_t Vectors::num_rows() const {
  std::size_t total = 0;
  for (const VectorBatch& batch : batches_) {
    total += batch.vectors.num_rows;
  }
  return total;
}

Status Vectors::CheckNoNull(std::string_view what) const {
  std::size_t first = 0;
  for (const VectorBatch& batch : batches_) {
    const std::size_t num_rows = batch.validity != nullptr ? batch.vectors.num_rows : 0;
    for (std::size_t i = 0; i < num_rows; ++i) {
      if (!arrow::bit_util::GetBit(batch.validity, batch.validity_offset + i)) {
        return Status::InvalidArgument(fmt::format("{} {} is null; leave it out", what, first + i));
      }
    }
    first += batch.vectors.num_rows;
  }
  return Status::Ok();
}

Status Vectors::Concatenate(std::vector<float>* storage) const {
  try {
    storage->reserve(num_rows() * dim_);
  } catch (const std::bad_alloc&) {
    return Status::OutOfMemory(
        fmt::format("no memory to put {} rows of {} chunks together; give them in one piece",
                    num_rows(), batches_.size()));
  }
  for (const VectorBatch& batch : batches_) {
    const VectorView& rows = batch.vectors;
    storage->insert(storage->end(), rows.data, rows.data + rows.num_rows * dim_);
  }
  return Status::Ok();
}

void BindVectors(nb::module_& module) {
  nb::class_<Vectors>(module, "Vectors", "Rows of float32, borrowed from numpy or Arrow.")
      .def(nb::init<FloatRows>(), "rows"_a.noconvert(), "Borrows a C-contiguous array.")
      .def(nb::init<const std::vector<nb::object>&, std::size_t>(), "chunks"_a, "dim"_a,
           "Takes Arrow arrays of fixed_size_list<float>[dim].")
      .def_prop_ro("num_rows", &Vectors::num_rows)
      .def_prop_ro("dim", &Vectors::dim)
      .def_prop_ro(
          "addresses",
          [](const Vectors& self) {
            std::vector<std::uintptr_t> addresses;
            for (const VectorBatch& batch : self.batches()) {
              addresses.push_back(reinterpret_cast<std::uintptr_t>(batch.vectors.data));
            }
            return addresses;
          },
          "Where the rows of each piece begin in memory.");
}

}  // namespace forebay::python
