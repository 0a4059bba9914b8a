// The check behind every numeric option.
#pragma once

#include <fmt/format.h>

#include <CLI/Validators.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace forebay::cli {

/// Accepts decimal digits that make a 64-bit number of at least `min`.
inline CLI::Validator WholeNumber(std::uint64_t min) {
  const auto problem = [min](const std::string& text) -> std::string {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && rest == end && value >= min) {
      return {};
    }
    return fmt::format("expected a whole number of at least {}, got '{}'", min, text);
  };
  return {problem, ""};
}

}  // namespace forebay::cli
