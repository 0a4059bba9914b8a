// Words that are found as soon as they are written, and are still there after a crash.
//
//   forebay_live_words FILE TABLE
//
// FILE is Parquet with the columns `word` (string) and `embedding` (fixed_size_list of floats), as
// examples/data/glove-40k.parquet. TABLE is a directory, which is made. Another process writes
// words into it, and says which were acknowledged, until it is killed in the middle. This one opens
// what that left, looks for every acknowledged word, and writes the rest while other threads search
// for what was written a moment ago. At last some words are replaced and deleted.
#include <arrow/array/array_binary.h>
#include <arrow/array/util.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "forebay/table.h"
#include "words.h"

namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;
using forebay::Table;

constexpr std::size_t kFirstRows = 10'000;  // Written before the model is trained.
constexpr std::size_t kKilledAt = 25'000;
constexpr std::size_t kBatchRows = 500;
constexpr std::size_t kRowsPerSecond = 10'000;
constexpr std::size_t kNeighbours = 5;
constexpr std::array kAsked = {"river",  "guitar", "king",    "python",
                               "coffee", "berlin", "physics", "violin"};

/// "10,000".
std::string Count(std::size_t n) {
  return n < 1000 ? std::to_string(n) : fmt::format("{},{:03}", Count(n / 1000), n % 1000);
}

void OkOrThrow(const forebay::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error(status.message());
  }
}

/// Bold, where that is welcome (https://no-color.org).
std::string Bold(const std::string& text) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it.
  static const bool kColours = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return kColours ? fmt::format("\x1b[1m{}\x1b[0m", text) : text;
}

std::size_t HardwareThreads() { return std::max(1U, std::thread::hardware_concurrency()); }

// --- Searching while others write
// ------------------------------------------------------------------

std::vector<std::string> Nearest(const Table& table, forebay::VectorView query, std::size_t k) {
  const auto result = OrThrow(table.Search(query, {.k = k, .nprobes = 16}));
  const auto& names = static_cast<const arrow::StringArray&>(*result.rows->GetColumnByName("word"));
  std::vector<std::string> words;
  for (std::int64_t i = 0; i < names.length(); ++i) {
    words.push_back(names.GetString(i));
  }
  return words;
}

/// What a searching thread has to tell.
struct Searches {
  std::vector<double> us;
  std::size_t found = 0;
};

/// Looks for the newest word, again and again, until `writing` ends.
Searches SearchForTheNewest(const Table& table, const Words& words,
                            const std::atomic<std::size_t>& written,
                            const std::atomic<bool>& writing) {
  Searches searches;
  while (writing) {
    const std::size_t newest = written - 1;
    const auto start = Clock::now();
    const auto found = Nearest(table, words.vector(newest), kNeighbours);
    searches.us.push_back(Microseconds(Clock::now() - start).count());
    searches.found += std::count(found.begin(), found.end(), words.name(newest)) > 0 ? 1U : 0U;
  }
  return searches;
}

/// Writes the rows [begin, end) at a steady rate. `acknowledged` is told how far they are durable.
template <typename Acknowledged>
void Write(Table& table, const Words& words, std::size_t begin, std::size_t end,
           const Acknowledged& acknowledged) {
  const auto start = Clock::now();
  for (std::size_t row = begin; row < end; row += kBatchRows) {
    std::this_thread::sleep_until(start + std::chrono::microseconds(1'000'000) * (row - begin) /
                                              kRowsPerSecond);
    const std::size_t until = std::min(row + kBatchRows, end);
    const auto arrived = Clock::now();
    OrThrow(table.Put(*words.rows(row, until)));
    acknowledged(until, Microseconds(Clock::now() - arrived).count());
  }
}

/// The same, while other threads search. How long each batch and each search took.
template <typename Acknowledged>
std::pair<std::vector<double>, Searches> WriteAndSearch(Table& table, const Words& words,
                                                        std::size_t begin,
                                                        const Acknowledged& acknowledged) {
  std::vector<Searches> searches(std::clamp<std::size_t>(HardwareThreads(), 2, 4) - 1);
  std::vector<double> put_us;
  std::atomic<std::size_t> written = begin;
  std::atomic<bool> writing = true;
  std::vector<std::jthread> threads;
  for (Searches& of_thread : searches) {
    threads.emplace_back([&] { of_thread = SearchForTheNewest(table, words, written, writing); });
  }
  Write(table, words, begin, words.size(), [&](std::size_t until, double us) {
    written = until;
    put_us.push_back(us);
    acknowledged(until);
  });
  writing = false;
  threads.clear();
  Searches all;
  for (const Searches& of_thread : searches) {
    all.us.insert(all.us.end(), of_thread.us.begin(), of_thread.us.end());
    all.found += of_thread.found;
  }
  return {put_us, all};
}

// --- The process that is killed
// ---------------------------------------------------------------------

/// Writes words; `acks` is told how many are acknowledged, by each number that comes out of it.
void WriteUntilKilled(const std::string& file, const std::string& dir, int acks) {
  const auto tell = [acks](std::size_t count) {
    if (::write(acks, &count, sizeof(count)) != sizeof(count)) {
      throw std::runtime_error("nobody reads what was acknowledged");
    }
  };
  const Words words = ReadWords(file);
  Table table = OrThrow(Table::Create(dir, {.schema = words.batch->schema(),
                                            .vector_column = "embedding",
                                            .primary_key = "word",
                                            .metric = forebay::Metric::kCosine}));
  OrThrow(table.Put(*words.rows(0, kFirstRows)));
  tell(kFirstRows);
  OkOrThrow(table.Train(
      {.num_partitions = 128, .num_sub_vectors = 25, .num_threads = HardwareThreads()}));
  WriteAndSearch(table, words, kFirstRows, tell);
}

/// Lets another process write, kills it, and returns how many words it had acknowledged.
std::size_t KillAWriter(const std::string& file, const std::string& dir) {
  std::array<int, 2> pipe = {};
  if (::pipe(pipe.data()) != 0) {
    throw std::runtime_error("cannot make a pipe");
  }
  const ::pid_t writer = ::fork();
  if (writer == 0) {
    ::close(pipe[0]);
    try {
      WriteUntilKilled(file, dir, pipe[1]);
    } catch (const std::exception& error) {
      fmt::print(stderr, "forebay_live_words: {}\n", error.what());
    }
    ::_exit(1);
  }
  ::close(pipe[1]);
  std::size_t acknowledged = 0;
  bool killed = false;
  for (std::size_t count = 0; ::read(pipe[0], &count, sizeof(count)) == sizeof(count);) {
    acknowledged = count;
    if (count >= kKilledAt && !killed) {
      killed = ::kill(writer, SIGKILL) == 0;
    }
  }
  ::close(pipe[0]);
  ::waitpid(writer, nullptr, 0);
  if (!killed) {
    throw std::runtime_error("the writing process ended too early");
  }
  return acknowledged;
}

// --- What is there afterwards
// -----------------------------------------------------------------------

/// Gets each of the first words, and compares it with what was put.
void CheckAcknowledged(const Table& table, const Words& words, std::size_t acknowledged) {
  const auto put = words.rows(0, acknowledged);
  const auto found = OrThrow(table.Get(*put->GetColumnByName("word")));
  if (!found->Equals(*put)) {
    throw std::runtime_error(fmt::format("of {} acknowledged words {} are there",
                                         Count(acknowledged),
                                         Count(static_cast<std::size_t>(found->num_rows()))));
  }
}

/// A line for each word: its nearest neighbours.
void ShowNeighbours(const Table& table, const Words& words) {
  for (std::size_t row = 0; row < kFirstRows; ++row) {
    if (std::find(kAsked.begin(), kAsked.end(), words.name(row)) == kAsked.end()) {
      continue;
    }
    std::string line = "  " + Bold(fmt::format("{:<10}", words.name(row)));
    // One more than shown, as every word is its own nearest neighbour.
    for (const std::string& word : Nearest(table, words.vector(row), kNeighbours + 1)) {
      line += word == words.name(row) ? "" : fmt::format("  {:<14}", word);
    }
    fmt::print("{}\n", line);
  }
}

double Percentile(std::vector<double> us, std::size_t percent) {
  std::sort(us.begin(), us.end());
  return us.empty() ? 0 : us[(us.size() - 1) * percent / 100];
}

void ShowTimes(const std::vector<double>& put_us, const Searches& searches) {
  fmt::print("  {:<30} p50 {:6.0f} us   p99 {:6.0f} us   ({} batches of {})\n",
             "write to durable and visible", Percentile(put_us, 50), Percentile(put_us, 99),
             put_us.size(), kBatchRows);
  fmt::print("  {:<30} p50 {:6.0f} us   p99 {:6.0f} us   ({} searches)\n", "search meanwhile",
             Percentile(searches.us, 50), Percentile(searches.us, 99), Count(searches.us.size()));
  fmt::print("  {:<30} {} of {} searches for the newest word\n", "found", Count(searches.found),
             Count(searches.us.size()));
}

std::size_t FindRow(const Words& words, std::string_view name) {
  std::size_t row = 0;
  while (row < words.size() && words.name(row) != name) {
    ++row;
  }
  return row;
}

/// Gives one word another's vector, and deletes it.
void ReplaceAndDelete(Table& table, const Words& words, std::string_view name,
                      std::string_view other) {
  const std::size_t from = FindRow(words, other);
  const auto names = OrThrow(arrow::MakeArrayFromScalar(arrow::StringScalar(std::string(name)), 1));
  const auto row =
      OrThrow(words.rows(from, from + 1)->SetColumn(0, words.batch->schema()->field(0), names));
  const auto show = [&](std::string_view what) {
    fmt::print("  {:<30} like {}: {}\n", what, other,
               fmt::join(Nearest(table, words.vector(from), 3), ", "));
  };
  show("before");
  const forebay::PutReport put = OrThrow(table.Put(*row));
  show(fmt::format("{} replaced, {} row", name, put.num_replaced));
  show(fmt::format("{} deleted, {} row", name, OrThrow(table.Delete(*names))));
}

void Run(const std::string& file, const std::string& dir) {
  fmt::print("Another process writes words while it searches, and is killed (SIGKILL).\n");
  std::fflush(stdout);
  const std::size_t acknowledged = KillAWriter(file, dir);
  fmt::print("It had acknowledged {} words.\n\n", Count(acknowledged));

  const Words words = ReadWords(file);
  const auto start = Clock::now();
  Table table = OrThrow(Table::Open(dir, {.num_threads = HardwareThreads()}));
  const double ms = Microseconds(Clock::now() - start).count() / 1000;
  const forebay::RecoveryReport& recovery = table.recovery();
  fmt::print("Opened again in {:.0f} ms: {} batches, {} words, {} torn bytes cut off.\n", ms,
             recovery.num_batches, Count(recovery.num_rows), Count(recovery.torn_bytes));
  CheckAcknowledged(table, words, acknowledged);
  fmt::print("All {} acknowledged words are there. Nearest to some of them:\n\n",
             Count(acknowledged));
  ShowNeighbours(table, words);

  const std::size_t rest = words.size() - acknowledged;
  fmt::print("\nWriting {} more, {} a second, while others search for the newest:\n\n", Count(rest),
             Count(kRowsPerSecond));
  const auto [put_us, searches] = WriteAndSearch(table, words, acknowledged, [](std::size_t) {});
  ShowTimes(put_us, searches);
  fmt::print("\nNearest among all {} words:\n\n", Count(OrThrow(table.stats()).num_rows));
  ShowNeighbours(table, words);

  fmt::print("\nA word that gets another vector, and is deleted:\n\n");
  ReplaceAndDelete(table, words, "monday", "coffee");
  OkOrThrow(table.Close());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: forebay_live_words FILE TABLE\n");
    return 2;
  }
  try {
    Run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "forebay_live_words: {}\n", error.what());
    return 1;
  }
  return 0;
}
