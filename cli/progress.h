// A progress bar on stderr, drawn only when that is a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace forebay::cli {

class Progress {
 public:
  /// Silent for good unless `wanted` and stderr is a terminal that can move its cursor.
  explicit Progress(bool wanted);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { Clear(); }

  /// Draws `label` and a bar (total 0, not known: no bar); cheap to call often, as few calls draw.
  void Update(std::string_view label, std::size_t done, std::size_t total);
  /// Takes the bar away, so that other output can follow.
  void Clear();

 private:
  bool enabled_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_draw_;
};

}  // namespace forebay::cli
