// Measured times, and their percentiles.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace forebay::cli {

using Clock = std::chrono::steady_clock;

class LatencySamples {
 public:
  void Add(Clock::duration time) {
    us_.push_back(std::chrono::duration<double, std::micro>(time).count());
  }
  void Add(const LatencySamples& other) {
    us_.insert(us_.end(), other.us_.begin(), other.us_.end());
  }

  [[nodiscard]] std::size_t count() const { return us_.size(); }

  /// In microseconds: the smallest sample that at least `percent` of all samples do not exceed;
  /// NaN when there are none.
  [[nodiscard]] double Percentile(double percent) const {
    if (us_.empty()) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    const double rank = std::ceil(percent / 100 * static_cast<double>(us_.size()));
    const std::size_t index =
        std::clamp(static_cast<std::size_t>(rank), std::size_t{1}, us_.size()) - 1;
    std::vector<double> sorted = us_;
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(sorted.begin(), nth, sorted.end());
    return *nth;
  }

 private:
  std::vector<double> us_;
};

}  // namespace forebay::cli
