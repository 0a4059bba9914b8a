#include <fmt/format.h>

#include "base/no_throw.h"
#include "model/model_data.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay {

Result<IvfModel> IvfModel::Create(VectorView centroids) {
  if (Status cpu = simd::CheckActive(); !cpu.ok()) {
    return cpu;
  }
  if (centroids.num_rows == 0 || centroids.dim == 0) {
    return Status::InvalidArgument(
        fmt::format("centroids must be [num_partitions][dim], both at least 1; got [{}][{}]",
                    centroids.num_rows, centroids.dim));
  }
  for (std::size_t i = 0; i < centroids.num_rows; ++i) {
    const auto defect = model::CheckVector(Metric::kL2, centroids.row(i), centroids.dim);
    if (defect != model::Defect::kNone) {
      return Status::InvalidArgument(fmt::format("centroid {} {}", i, model::DefectText(defect)));
    }
  }
  return NoThrow([&]() -> Result<IvfModel> {
    auto data = std::make_shared<Data>();
    data->centroids.assign(centroids.data, centroids.row(centroids.num_rows));
    data->num_partitions = centroids.num_rows;
    data->dim = centroids.dim;
    return IvfModel(std::move(data));
  });
}

std::size_t IvfModel::num_partitions() const { return data_->num_partitions; }
std::size_t IvfModel::dim() const { return data_->dim; }
VectorView IvfModel::centroids() const {
  return {data_->centroids.data(), data_->num_partitions, data_->dim};
}

}  // namespace forebay
