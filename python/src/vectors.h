// Vectors: rows of float32 that came from numpy or Arrow, kept alive.
//
// Thread safety: const methods may run in any number of threads, without the GIL. Construction and
// destruction need the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "forebay/arrow.h"
#include "forebay/index.h"

namespace forebay::python {

using FloatRows =
    nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

class Vectors {
 public:
  /// Borrows the array's memory.
  explicit Vectors(FloatRows rows);
  /// Borrows where it can; `chunks` implement __arrow_c_array__ and all have dimension `dim`.
  Vectors(const std::vector<nanobind::object>& chunks, std::size_t dim);

  Vectors(const Vectors&) = delete;  // batches_ points into the object's own memory.
  Vectors& operator=(const Vectors&) = delete;

  [[nodiscard]] std::size_t num_rows() const;
  [[nodiscard]] std::size_t dim() const { return dim_; }
  /// One for each piece of memory, in order. Row positions are not set.
  [[nodiscard]] const std::vector<VectorBatch>& batches() const { return batches_; }
  /// `use` is given all rows in one piece of memory, which ends with this call if they are not so
  /// already. kInvalidArgument when a row is null; `what` names rows in the message.
  template <typename Use>
  [[nodiscard]] auto WithContiguous(std::string_view what, const Use& use) const
      -> decltype(use(VectorView())) {
    if (Status status = CheckNoNull(what); !status.ok()) {
      return status;
    }
    if (batches_.size() == 1) {
      return use(batches_[0].vectors);
    }
    std::vector<float> storage;
    if (Status status = Concatenate(&storage); !status.ok()) {
      return status;
    }
    return use({storage.data(), num_rows(), dim_});
  }

 private:
  [[nodiscard]] Status CheckNoNull(std::string_view what) const;
  Status Concatenate(std::vector<float>* storage) const;

  std::size_t dim_;
  FloatRows numpy_;
  std::vector<ArrowVectors> arrow_;
  std::vector<VectorBatch> batches_;  // Views of numpy_ or arrow_.
};

}  // namespace forebay::python
