// The verbs of a table, one file for each.
#pragma once

#include <CLI/App.hpp>

#include "verbs.h"

namespace forebay::cli {

Verb AddInit(CLI::App& app);
Verb AddPut(CLI::App& app);
Verb AddDelete(CLI::App& app);
Verb AddGet(CLI::App& app);
Verb AddSearch(CLI::App& app);
Verb AddScan(CLI::App& app);
Verb AddExport(CLI::App& app);
Verb AddFlush(CLI::App& app);
Verb AddMerge(CLI::App& app);
Verb AddStats(CLI::App& app);
Verb AddVerify(CLI::App& app);

}  // namespace forebay::cli
