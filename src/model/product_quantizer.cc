#include <fmt/format.h>

#include "base/no_throw.h"
#include "model/model_data.h"
#include "model/shape_check.h"
#include "model/vector_check.h"
#include "simd/dispatch.h"

namespace forebay {

Status model::CheckPqShape(std::size_t dim, std::size_t num_sub_vectors, unsigned num_bits) {
  if (num_bits != 4 && num_bits != 8) {
    return Status::InvalidArgument(fmt::format("num_bits must be 4 or 8; got {}", num_bits));
  }
  if (num_sub_vectors == 0 || dim == 0 || dim % num_sub_vectors != 0) {
    return Status::InvalidArgument(
        fmt::format("num_sub_vectors must divide the dimension; got {} for dimension {}",
                    num_sub_vectors, dim));
  }
  if (num_bits == 4 && num_sub_vectors % 2 != 0) {
    return Status::InvalidArgument(
        fmt::format("num_sub_vectors must be even with 4 bits, as two codes share a byte; got {}",
                    num_sub_vectors));
  }
  return Status::Ok();
}

Result<ProductQuantizer> ProductQuantizer::Create(std::size_t dim, std::size_t num_sub_vectors,
                                                  unsigned num_bits,
                                                  std::span<const float> codebook) {
  if (Status cpu = simd::CheckActive(); !cpu.ok()) {
    return cpu;
  }
  if (Status shape = model::CheckPqShape(dim, num_sub_vectors, num_bits); !shape.ok()) {
    return shape;
  }
  const std::size_t num_codewords = std::size_t{1} << num_bits;
  if (codebook.size() % num_codewords != 0 || codebook.size() / num_codewords != dim) {
    return Status::InvalidArgument(fmt::format(
        "the codebook must be [num_sub_vectors][2^num_bits][dim / num_sub_vectors], here "
        "[{}][{}][{}]; got {} floats",
        num_sub_vectors, num_codewords, dim / num_sub_vectors, codebook.size()));
  }
  return NoThrow([&]() -> Result<ProductQuantizer> {
    auto data = std::make_shared<Data>();
    data->codebook.assign(codebook.begin(), codebook.end());
    data->dim = dim;
    data->num_sub_vectors = num_sub_vectors;
    data->num_bits = num_bits;
    for (std::size_t m = 0; m < num_sub_vectors; ++m) {
      for (std::size_t j = 0; j < data->num_codewords(); ++j) {
        const float* codeword = data->codewords(m).row(j);
        const auto defect = model::CheckVector(Metric::kL2, codeword, data->sub_dim());
        if (defect != model::Defect::kNone) {
          return Status::InvalidArgument(
              fmt::format("codeword {} of sub-vector {} {}", j, m, model::DefectText(defect)));
        }
      }
    }
    return ProductQuantizer(std::move(data));
  });
}

std::size_t ProductQuantizer::dim() const { return data_->dim; }
std::size_t ProductQuantizer::num_sub_vectors() const { return data_->num_sub_vectors; }
unsigned ProductQuantizer::num_bits() const { return data_->num_bits; }
std::size_t ProductQuantizer::num_codewords() const { return data_->num_codewords(); }
std::size_t ProductQuantizer::code_len() const { return data_->num_sub_vectors * num_bits() / 8; }
std::span<const float> ProductQuantizer::codebook() const { return data_->codebook; }

}  // namespace forebay
