#include "table/open_table.h"

#include <CLI/Error.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace forebay::cli {

void AddTablePath(CLI::App& command, std::filesystem::path& path) {
  command.add_option("TABLE", path, "The directory of a table")->option_text(" ")->required();
}

void AddSyncFlag(CLI::App& command, SyncPolicy& sync) {
  const std::map<std::string, SyncPolicy> policies = {{"always", SyncPolicy::kAlways},
                                                      {"interval", SyncPolicy::kInterval},
                                                      {"none", SyncPolicy::kNone}};
  command
      .add_option("--sync", sync,
                  "Sync before each acknowledgement, now and then, or never [always]")
      ->option_text("always|interval|none")
      ->transform(CLI::CheckedTransformer(policies));
}

void RequireOne(CLI::App& command, std::initializer_list<CLI::Option*> options,
                const std::string& what) {
  const std::vector<CLI::Option*> all = options;
  command.parse_complete_callback([all, what] {
    const auto given = std::count_if(all.begin(), all.end(),
                                     [](const CLI::Option* option) { return option->count() > 0; });
    if (given == 0) {
      throw CLI::RequiredError(what);
    }
    if (given > 1) {
      throw CLI::ValidationError("expected only one of " + what);
    }
  });
}

Result<Table> OpenForReading(const std::filesystem::path& path) {
  return Table::Open(path, {.read_only = true});
}

}  // namespace forebay::cli
