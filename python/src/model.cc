// IvfPqModel as forebay._core.Model.
#include "forebay/model.h"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>

#include <filesystem>
#include <span>
#include <string>

#include "bindings.h"
#include "forebay/file.h"
#include "gil.h"
#include "status_error.h"
#include "vectors.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a

namespace forebay::python {
namespace {

using CodebookArray = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <std::size_t kDims>
using FloatView = nb::ndarray<nb::numpy, const float, nb::ndim<kDims>>;

IvfPqModel CreateModel(const std::string& metric, const FloatRows& centroids,
                       const CodebookArray& codebook, unsigned num_bits, bool residual) {
  const ReleaseGil released;
  IvfModel ivf =
      ValueOrThrow(IvfModel::Create({centroids.data(), centroids.shape(0), centroids.shape(1)}));
  ProductQuantizer pq = ValueOrThrow(ProductQuantizer::Create(
      ivf.dim(), codebook.shape(0), num_bits, {codebook.data(), codebook.size()}));
  return ValueOrThrow(IvfPqModel::Create(ValueOrThrow(ParseMetric(metric)), ivf, pq, residual));
}

IvfPqModel ParseModel(const nb::bytes& bytes) {
  const std::span data(reinterpret_cast<const std::byte*>(bytes.c_str()), bytes.size());
  const ReleaseGil released;
  return ValueOrThrow(IvfPqModel::Parse(data));
}

nb::bytes Serialize(const IvfPqModel& model) {
  std::vector<std::byte> bytes;
  {
    const ReleaseGil released;
    bytes = model.Serialize();
  }
  return nb::bytes(bytes.data(), bytes.size());
}

/// The model's own memory; the view keeps the Python model, and so the memory, alive.
FloatView<2> Centroids(nb::handle self) {
  const VectorView rows = nb::cast<const IvfPqModel&>(self).ivf().centroids();
  return {rows.data, {rows.num_rows, rows.dim}, self};
}

FloatView<3> Codebook(nb::handle self) {
  const ProductQuantizer& pq = nb::cast<const IvfPqModel&>(self).pq();
  const std::size_t width = pq.dim() / pq.num_sub_vectors();
  return {pq.codebook().data(), {pq.num_sub_vectors(), pq.num_codewords(), width}, self};
}

}  // namespace

void BindModel(nb::module_& module) {
  nb::class_<IvfPqModel>(module, "Model", "IvfPqModel.")
      .def_static("create", &CreateModel, "metric"_a, "centroids"_a.noconvert(),
                  "codebook"_a.noconvert(), "num_bits"_a, "residual"_a)
      .def_static("parse", &ParseModel, "data"_a)
      .def("serialize", &Serialize)
      .def_static(
          "load",
          [](const std::filesystem::path& path) {
            return ValueOrThrow(IvfPqModel::Parse(ValueOrThrow(ReadFile(path))));
          },
          "path"_a, nb::call_guard<ReleaseGil>(), nb::sig("def load(path: str) -> Model"))
      .def(
          "save",
          [](const IvfPqModel& self, const std::filesystem::path& path) {
            ThrowIfError(WriteFile(path, self.Serialize()));
          },
          "path"_a, nb::call_guard<ReleaseGil>(), nb::sig("def save(self, path: str) -> None"))
      .def_prop_ro("metric",
                   [](const IvfPqModel& self) { return std::string(MetricName(self.metric())); })
      .def_prop_ro("residual", &IvfPqModel::residual)
      .def_prop_ro("dim", &IvfPqModel::dim)
      .def_prop_ro("num_partitions",
                   [](const IvfPqModel& self) { return self.ivf().num_partitions(); })
      .def_prop_ro("num_sub_vectors",
                   [](const IvfPqModel& self) { return self.pq().num_sub_vectors(); })
      .def_prop_ro("num_bits", [](const IvfPqModel& self) { return self.pq().num_bits(); })
      .def_prop_ro("code_len", [](const IvfPqModel& self) { return self.pq().code_len(); })
      .def_prop_ro("fingerprint", &IvfPqModel::fingerprint)
      .def_prop_ro("centroids", &Centroids)
      .def_prop_ro("codebook", &Codebook);
}

}  // namespace forebay::python
