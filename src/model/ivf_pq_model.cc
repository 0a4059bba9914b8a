#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/no_throw.h"
#include "model/model_data.h"
#include "model/model_file.h"
#include "model/shape_check.h"
#include "simd/dispatch.h"

namespace forebay {
namespace {

/// For each sub-vector the longest codeword: what the squared norm of no decoded vector exceeds.
/// In double, as the sum of norms below the limit can be above it.
double MaxDecodedSquaredNorm(const ProductQuantizer::Data& pq) {
  double sum = 0;
  for (std::size_t m = 0; m < pq.num_sub_vectors; ++m) {
    const VectorView codewords = pq.codewords(m);
    float longest = 0;
    for (std::size_t j = 0; j < codewords.num_rows; ++j) {
      const float* codeword = codewords.row(j);
      longest = std::max(longest, simd::Active().dot(codeword, codeword, codewords.dim));
    }
    sum += static_cast<double>(longest);
  }
  return sum;
}

/// |r|^2 + 2 |c| |r| for each centroid c, rounded up.
std::vector<float> MaxVectorTerms(const IvfModel& ivf, double max_squared_norm) {
  constexpr double kRoundingUp = 1 + 1e-5;
  std::vector<float> bounds;
  const VectorView centroids = ivf.centroids();
  for (std::size_t p = 0; p < centroids.num_rows; ++p) {
    const float* c = centroids.row(p);
    const double norm = std::sqrt(static_cast<double>(simd::Active().dot(c, c, centroids.dim)));
    const double bound = max_squared_norm + 2 * norm * std::sqrt(max_squared_norm);
    bounds.push_back(static_cast<float>(bound * kRoundingUp));
  }
  return bounds;
}

}  // namespace

Status model::CheckResidual(Metric metric, bool residual) {
  if (residual && metric == Metric::kDot) {
    return Status::InvalidArgument(
        "residual codes do not work with dot; leave residual out, or use l2 or cosine");
  }
  return Status::Ok();
}

Result<IvfPqModel> IvfPqModel::Create(Metric metric, IvfModel ivf, ProductQuantizer pq,
                                      bool residual) {
  if (ivf.dim() != pq.dim()) {
    return Status::InvalidArgument(fmt::format(
        "centroids and codebook must have one dimension; got {} and {}", ivf.dim(), pq.dim()));
  }
  if (Status status = model::CheckResidual(metric, residual); !status.ok()) {
    return status;
  }
  return NoThrow([&]() -> Result<IvfPqModel> {
    const double max_squared_norm = MaxDecodedSquaredNorm(pq.data());
    if (!(max_squared_norm < static_cast<double>(kMaxSquaredNorm))) {
      return Status::InvalidArgument(
          "the codebook's vectors are too long: the squared norms of the longest codewords add up "
          "to 2^124 or more; scale the vectors down");
    }
    const auto bias = metric == Metric::kDot ? model::Bias::kNone : model::Bias::kNearest;
    std::vector<model::PackedMatrix> packed_codebook;
    for (std::size_t m = 0; m < pq.num_sub_vectors(); ++m) {
      packed_codebook.push_back(
          model::PackedMatrix::Pack(pq.data().codewords(m), model::Bias::kNearest));
    }
    auto packed_centroids = model::PackedMatrix::Pack(ivf.centroids(), bias);
    auto screened_centroids = model::ScreenedMatrix::Make(ivf.centroids(), packed_centroids.view());
    auto data = std::make_shared<Data>(
        Data{.metric = metric,
             .residual = residual,
             .ivf = ivf,
             .pq = pq,
             .packed_centroids = std::move(packed_centroids),
             .screened_centroids = std::move(screened_centroids),
             .packed_codebook = std::move(packed_codebook),
             .max_vector_term =
                 residual ? MaxVectorTerms(ivf, max_squared_norm) : std::vector<float>()});
    data->fingerprint = model::Fingerprint(*data);
    return IvfPqModel(std::move(data));
  });
}

Metric IvfPqModel::metric() const { return data_->metric; }
bool IvfPqModel::residual() const { return data_->residual; }
const IvfModel& IvfPqModel::ivf() const { return data_->ivf; }
const ProductQuantizer& IvfPqModel::pq() const { return data_->pq; }
std::uint64_t IvfPqModel::fingerprint() const { return data_->fingerprint; }

}  // namespace forebay
