// Vectors: rows of float32 that came from numpy or Arrow, kept alive.
//
// Thread safety: const methods may run in any number of threads, without the GIL. Construction and
// destruction need the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
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
  /// All rows in one piece of memory, which is `*storage` if they are not so already.
  [[nodiscard]] VectorView Contiguous(std::vector<float>* storage) const;

 private:
  std::size_t dim_;
  FloatRows numpy_;
  std::vector<ArrowVectors> arrow_;
  std::vector<VectorBatch> batches_;  // Views of numpy_ or arrow_.
};

}  // namespace forebay::python
