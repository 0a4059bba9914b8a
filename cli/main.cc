// forebay: the command tree and the exit codes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <exception>
#include <string_view>

#include "table/table_verbs.h"
#include "verbs.h"

namespace forebay::cli {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

void PrintError(std::string_view message) {
  std::fprintf(stderr, "forebay: %.*s\n", static_cast<int>(message.size()), message.data());
}

int Run(const Verb& verb) {
  const Status status = verb.run();
  if (!status.ok()) {
    PrintError(status.message());
    return kFailed;
  }
  // A full disk or a closed pipe shows up here at the latest.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    PrintError("cannot write to standard output");
    return kFailed;
  }
  return kDone;
}

int Main(int argc, const char* const* argv) {
  CLI::App app("Forebay: vectors that are searchable as soon as they are written.", "forebay");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return fmt::format("forebay: {}\nRun with --help for more information.\n", error.what());
  });
  app.set_version_flag("--version", "forebay " FOREBAY_VERSION, "Print the version and exit.");
  CLI::App* const bench = app.add_subcommand("bench", "Measure on your own data.");
  bench->footer("forebay bench COMMAND --help says more.");
  const std::array verbs = {AddInit(app),    AddPut(app),           AddDelete(app), AddGet(app),
                            AddSearch(app),  AddScan(app),          AddExport(app), AddTrain(app),
                            AddFlush(app),   AddMerge(app),         AddStats(app),  AddVerify(app),
                            AddInspect(app), AddBenchStream(*bench)};
  app.footer(  // Now that the verbs can no longer inherit it.
      "Exit codes: 0 done, 1 failed, 2 wrong use.\n"
      "\n"
      "Examples:\n"
      "  forebay init words --schema words.parquet --key word --metric cosine\n"
      "  forebay put words words.parquet\n"
      "  forebay search words --like river --filter \"length(word) > 3\" -k 5\n"
      "  forebay train words.parquet --out words.model --metric cosine\n"
      "  forebay inspect words.model\n"
      "  forebay bench stream words.parquet --model words.model\n"
      "\n"
      "forebay COMMAND --help says more.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUse;  // 0: --help was asked for.
  }
  for (const Verb& verb : verbs) {
    if (verb.command->parsed()) {
      return Run(verb);
    }
  }
  PrintError("expected a command\nRun with --help for more information.");
  return kWrongUse;
}

}  // namespace
}  // namespace forebay::cli

int main(int argc, char** argv) {
  try {
    return forebay::cli::Main(argc, argv);
  } catch (const std::exception& error) {
    forebay::cli::PrintError(error.what());
    return forebay::cli::kFailed;
  }
}
