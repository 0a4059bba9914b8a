// Training, which Ctrl-C stops: it runs in a thread of its own, while the caller's thread shows
// the progress and looks for signals.
//
// Thread safety: for the caller's thread, which holds the GIL.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <functional>
#include <optional>

#include "forebay/model.h"

namespace forebay::python {

/// TrainOptions, with those numbers left open that depend on the rows.
struct TrainArguments {
  TrainOptions options;
  std::optional<std::size_t> num_partitions;
  std::optional<std::size_t> num_sub_vectors;

  /// Throws StatusError when there is no default for this dimension.
  [[nodiscard]] TrainOptions For(std::size_t num_rows, std::size_t dim) const;
};

/// Runs `train` with the options and a progress callback. `progress` is None, or is called as
/// progress(done, total). Throws what it or a signal handler raised, which also stops the training;
/// otherwise the status, if it is not OK.
void TrainInThread(TrainOptions options, const nanobind::object& progress,
                   const std::function<Status(const TrainOptions&)>& train);

}  // namespace forebay::python
