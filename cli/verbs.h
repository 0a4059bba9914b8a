// The verbs of the command, one file for each; those of tables are in table/.
#pragma once

#include <CLI/App.hpp>
#include <functional>

#include "forebay/status.h"

namespace forebay::cli {

/// A verb's place in the command tree, and what it does once the command line was parsed.
struct Verb {
  CLI::App* command = nullptr;
  std::function<Status()> run;
};

Verb AddTrain(CLI::App& app);
Verb AddInspect(CLI::App& app);
/// `bench` is the command that holds the benchmarks.
Verb AddBenchStream(CLI::App& bench);

}  // namespace forebay::cli
