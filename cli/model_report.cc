#include "model_report.h"

#include <fmt/format.h>

#include "quantities.h"
#include "training.h"

namespace forebay::cli {

nlohmann::ordered_json ModelJson(const IvfPqModel& model, std::size_t bytes) {
  return {{"metric", MetricName(model.metric())},
          {"dim", model.dim()},
          {"num_partitions", model.ivf().num_partitions()},
          {"num_sub_vectors", model.pq().num_sub_vectors()},
          {"num_bits", model.pq().num_bits()},
          {"residual", model.residual()},
          {"code_len", model.pq().code_len()},
          {"fingerprint", FingerprintText(model)},
          {"bytes", bytes}};
}

std::string ModelText(const IvfPqModel& model, std::size_t bytes) {
  const ProductQuantizer& pq = model.pq();
  return fmt::format(
      "metric        {}\n"
      "dimension     {}\n"
      "partitions    {}\n"
      "codes         {} sub-vectors x {} bits = {} bytes, {}\n"
      "fingerprint   {}\n"
      "file          {} bytes\n",
      MetricName(model.metric()), model.dim(), Count(model.ivf().num_partitions()),
      pq.num_sub_vectors(), pq.num_bits(), pq.code_len(),
      model.residual() ? "of the difference to the centroid (residual)"
                       : "of the vector itself (raw)",
      FingerprintText(model), Count(bytes));
}

}  // namespace forebay::cli
