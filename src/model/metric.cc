#include <array>
#include <string>

#include "forebay/model.h"

namespace forebay {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"l2", "cosine", "dot"};  // By value.

}  // namespace

std::string_view MetricName(Metric metric) { return kNames[static_cast<std::size_t>(metric)]; }

Result<Metric> ParseMetric(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) {
      return static_cast<Metric>(i);
    }
  }
  return Status::InvalidArgument("no metric '" + std::string(name) + "'; use l2, cosine or dot");
}

}  // namespace forebay
