#include "index/adc_tables.h"

#include <algorithm>
#include <cmath>

#include "simd/dispatch.h"

namespace forebay::index {
namespace {

constexpr float kMaxFineEntry = 255.0F;
constexpr float kMaxQuickEntry = simd::kMaxHalfEntry;
/// The part of the range that quick steps tell apart. A sub-vector whose entry is beyond that is so
/// far that its vector is hardly a candidate; the finer steps make up for it.
constexpr float kQuickRange = 0.8F;
/// Four roundings to nearest lie between an entry and its quantized value; this outweighs them.
constexpr float kRoundingDown = 1.0F - 0x1p-21F;

}  // namespace

void AdcTables::Build(const IvfPqModel::Data& model, const float* query, Steps steps,
                      std::vector<float>* entries) {
  const simd::Kernels& kernels = simd::Active();
  const ProductQuantizer::Data& pq = model.pq.data();
  const std::size_t num_codewords = pq.num_codewords();
  num_sub_vectors_ = pq.num_sub_vectors;
  steps_ = steps;
  entries->resize(num_sub_vectors_ * num_codewords);
  quantized_.resize(entries->size());
  // Raw codes under l2 and cosine: |q - w|^2. Residual ones: -2<q, w>. Dot: -<q, w>.
  const bool distances = model.metric != Metric::kDot && !model.residual;
  const float scale = model.residual ? -2.0F : -1.0F;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    const simd::PackedRows codewords = model.packed_codebook[m].view();
    float* of_sub_vector = entries->data() + m * num_codewords;
    const simd::StridedRows sub_vector{query + m * pq.sub_dim(), 1, pq.dim};
    if (distances) {
      kernels.packed_l2(codewords, sub_vector, of_sub_vector);
    } else {
      kernels.packed_dot(codewords, sub_vector, of_sub_vector);
      std::transform(of_sub_vector, of_sub_vector + num_codewords, of_sub_vector,
                     [scale](float dot) { return scale * dot; });
    }
  }
  Quantize(entries->data(), num_codewords);
}

void AdcTables::Quantize(const float* entries, std::size_t num_codewords) {
  const simd::Kernels& kernels = simd::Active();
  minima_.resize(num_sub_vectors_);
  float range = 0;
  sum_of_minima_ = 0;
  sum_of_maxima_ = 0;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    float max = 0;
    kernels.min_max(entries + m * num_codewords, num_codewords, &minima_[m], &max);
    range = std::max(range, max - minima_[m]);
    sum_of_minima_ += static_cast<double>(minima_[m]);
    sum_of_maxima_ += static_cast<double>(std::max(std::abs(minima_[m]), std::abs(max)));
  }
  const float most = steps_ == Steps::kQuick ? kMaxQuickEntry : kMaxFineEntry;
  range *= steps_ == Steps::kQuick ? kQuickRange : 1.0F;
  const float steps_per_unit = most / range * kRoundingDown;
  if (!std::isfinite(steps_per_unit)) {
    delta_ = 0;
    std::fill(quantized_.begin(), quantized_.end(), std::uint8_t{0});
    return;
  }
  delta_ = range / most;
  for (std::size_t m = 0; m < num_sub_vectors_; ++m) {
    kernels.quantize(entries + m * num_codewords, num_codewords, minima_[m], steps_per_unit, most,
                     quantized_.data() + m * num_codewords);
  }
}

PartitionBound AdcTables::BoundOf(float partition_term, float max_vector_term) const {
  // Plain f32 ADC errs by up to (M + 1) / 2 units of 2^-23 x the sum of absolute terms, the lower
  // bound and the limit by less than 3.5: M + 4 units cover both.
  const double magnitude = sum_of_maxima_ + static_cast<double>(std::abs(partition_term)) +
                           static_cast<double>(max_vector_term);
  return {.base = static_cast<float>(static_cast<double>(partition_term) + sum_of_minima_),
          .slack = static_cast<double>(num_sub_vectors_ + 4) * 0x1p-23 * magnitude};
}

}  // namespace forebay::index
