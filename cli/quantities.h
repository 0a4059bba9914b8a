// Numbers as a person reads them.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace forebay::cli {

/// "341,479".
inline std::string Count(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t i = text.size(); i > 3; i -= 3) {
    text.insert(i - 3, ",");
  }
  return text;
}

/// "87 us", "4.25 ms", "12.3 s"; "-" for NaN.
inline std::string Duration(double us) {
  if (std::isnan(us)) {
    return "-";
  }
  const double value = us < 1e3 ? us : us < 1e6 ? us / 1e3 : us / 1e6;
  const char* unit = us < 1e3 ? "us" : us < 1e6 ? "ms" : "s";
  return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, unit);
}

}  // namespace forebay::cli
