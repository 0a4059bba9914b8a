// A process that writes to a table in a real directory, which is flushed and merged all the time,
// is killed (SIGKILL) at a random time, again and again. What it had said was acknowledged is
// there, once, and at most the one call besides that it was about.
//
// FOREBAY_KILL_ROUNDS: how often.
#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "support/sanitizers.h"
#include "support/table_ledger.h"
#include "support/temporary_folder.h"

namespace forebay::testing {
namespace {

using Clock = std::chrono::steady_clock;

int NumRounds() {
  const char* const rounds = std::getenv("FOREBAY_KILL_ROUNDS");
  return rounds == nullptr ? 5 : std::stoi(rounds);
}

/// A running forebay_ledger_writer. Dies with this object at the latest.
class Writer {
 public:
  Writer(const std::string& table, std::uint64_t seed) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) {
      ADD_FAILURE() << "no pipe";
      return;
    }
    const std::string seed_text = std::to_string(seed);
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execl(FOREBAY_LEDGER_WRITER, FOREBAY_LEDGER_WRITER, table.c_str(), seed_text.c_str(),
              nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    ledger_ = ends[0];
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    Kill();
    ::close(ledger_);
  }

  /// Reads the ledger until then, or until it ends.
  void ReadUntil(Clock::time_point end) {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
      pollfd waits = {ledger_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&waits, 1, static_cast<int>(left.count())) <= 0 || !Read()) {
        return;
      }
    }
  }

  /// And reads what is left of the ledger.
  void Kill() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, &status_, 0);
      process_ = -1;
      while (Read()) {
      }
    }
  }

  [[nodiscard]] bool was_killed() const {
    return WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
  }
  [[nodiscard]] const std::vector<LedgerEntry>& entries() const { return entries_; }

 private:
  bool Read() {
    LedgerEntry entry;
    if (::read(ledger_, &entry, sizeof(entry)) != sizeof(entry)) {
      return false;
    }
    entries_.push_back(entry);
    return true;
  }

  pid_t process_ = -1;
  int ledger_ = -1;
  int status_ = 0;
  std::vector<LedgerEntry> entries_;
};

class TableKillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto table = Table::Create(path_, DefinitionOf(LedgerTableKind()));
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    ASSERT_TRUE(table->Close().ok());
  }

  /// Takes what was acknowledged into the model; what was begun and was not.
  std::optional<LedgerCall> Replay(const std::vector<LedgerEntry>& entries) {
    std::optional<LedgerCall> begun;
    for (const LedgerEntry& entry : entries) {
      if (entry.phase == LedgerPhase::kBegun) {
        begun.emplace(entry.seed);
      } else {
        EXPECT_TRUE(begun.has_value() && begun->seed == entry.seed);
        begun->ApplyTo(&model_);
        begun.reset();
        ++num_acknowledged_;
      }
    }
    return begun;
  }

  /// Opens the table and checks it; it may have what was begun, as a whole.
  void Check(const std::optional<LedgerCall>& begun) {
    const auto table = Table::Open(path_);
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    const std::string differs = Difference(*table, model_);
    if (!differs.empty() && begun.has_value()) {
      begun->ApplyTo(&model_);
      ++num_taken_;
    }
    ASSERT_EQ(DeepDifference(*table, model_), "") << "and without what was begun: " << differs;
    const auto stats = table->stats();
    ASSERT_TRUE(stats.ok());
    for (const GenerationStats& generation : stats->generations) {
      newest_generation_ = std::max(newest_generation_, generation.number);
    }
  }

  const TemporaryFolder folder_;
  const std::string path_ = (folder_.path() / "table").string();
  TableModel model_{LedgerTableKind()};
  std::size_t num_acknowledged_ = 0;
  std::size_t num_taken_ = 0;  // Calls that were begun, and are there.
  std::uint64_t newest_generation_ = 0;
};

TEST_F(TableKillTest, WhatWasAcknowledgedIsThere) {
  Rng random(11);
  const int num_rounds = NumRounds();
  for (int round = 0; round < num_rounds; ++round) {
    SCOPED_TRACE(::testing::Message() << "round " << round);
    Writer writer(path_, random.Next());
    // Now and then before it has opened the table.
    const std::size_t most = round % 4 == 3 ? 20 : 300;
    writer.ReadUntil(Clock::now() +
                     std::chrono::milliseconds(random.Below(most) * (kSanitized ? 5 : 1)));
    writer.Kill();
    ASSERT_TRUE(writer.was_killed()) << "it ended by itself";
    const auto begun = Replay(writer.entries());
    ASSERT_NO_FATAL_FAILURE(Check(begun));
  }
  EXPECT_GT(num_acknowledged_, static_cast<std::size_t>(num_rounds));
  EXPECT_GT(newest_generation_, 1U);
  RecordProperty("generations", std::to_string(newest_generation_));
  RecordProperty("acknowledged", std::to_string(num_acknowledged_));
  RecordProperty("begun_and_there", std::to_string(num_taken_));
}

}  // namespace
}  // namespace forebay::testing
