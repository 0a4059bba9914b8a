// Words that are found as soon as they are written.
//
//   forebay_live_words FILE [WORD...]
//
// FILE is Parquet with the columns `word` (string) and `embedding` (fixed_size_list of floats), as
// examples/data/glove-40k.parquet. A model is trained on its first rows, and those are written to
// an index. The rest follows at a steady rate while other threads search for what was written a
// moment ago. The neighbours of a few words are shown before and after.
#include <arrow/array/array_binary.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "forebay/arrow.h"
#include "forebay/index.h"
#include "forebay/model.h"

namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr std::size_t kFirstRows = 10'000;  // Known from the start; the model learns from them.
constexpr std::size_t kBatchRows = 500;
constexpr std::size_t kRowsPerSecond = 10'000;
constexpr std::size_t kNeighbours = 5;

/// Ends the program with a message if `result` holds an error.
template <typename Result>
auto OrThrow(Result result) {
  if (!result.ok()) {
    throw std::runtime_error(std::string(result.status().message()));
  }
  return *std::move(result);
}

/// "10,000".
std::string Count(std::size_t n) {
  return n < 1000 ? std::to_string(n) : fmt::format("{},{:03}", Count(n / 1000), n % 1000);
}

struct Words {
  std::vector<std::string> words;
  forebay::ArrowVectors vectors;

  [[nodiscard]] forebay::VectorView rows(std::size_t begin, std::size_t end) const {
    const forebay::VectorView all = vectors.view();
    return {all.row(begin), end - begin, all.dim};
  }
  [[nodiscard]] std::size_t size() const { return words.size(); }
};

Words Read(const std::string& path) {
  auto file = OrThrow(arrow::io::ReadableFile::Open(path));
  auto reader = OrThrow(parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
  auto table = OrThrow(OrThrow(reader->ReadTable())->CombineChunks());
  const auto words = table->GetColumnByName("word");
  const auto embeddings = table->GetColumnByName("embedding");
  if (!words || !embeddings || table->num_rows() <= static_cast<std::int64_t>(kFirstRows) ||
      words->type()->id() != arrow::Type::STRING) {
    throw std::runtime_error(
        fmt::format("expected columns `word` (string) and `embedding` with "
                    "more than {} rows in {}",
                    Count(kFirstRows), path));
  }
  Words read = {{}, OrThrow(forebay::ArrowVectors::Make(*embeddings->chunk(0)))};
  const auto& strings = static_cast<const arrow::StringArray&>(*words->chunk(0));
  for (std::int64_t i = 0; i < strings.length(); ++i) {
    read.words.push_back(strings.GetString(i));
  }
  return read;
}

/// Colours, where they are welcome (https://no-color.org).
struct Terminal {
  bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it.
  bool colours = is_terminal && std::getenv("NO_COLOR") == nullptr;

  [[nodiscard]] std::string Paint(const char* code, const std::string& text) const {
    return colours ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
  [[nodiscard]] std::string Bold(const std::string& text) const { return Paint("1", text); }
  [[nodiscard]] std::string Green(const std::string& text) const { return Paint("32", text); }
  [[nodiscard]] std::string Dim(const std::string& text) const { return Paint("2", text); }
};

/// How every search here goes: 16 partitions, then exact distances for the 10 x k best.
forebay::SearchOptions HowToSearch(const Words& words, std::size_t k) {
  forebay::SearchOptions options = {.k = k, .nprobes = 16, .refine_factor = 10};
  options.raw_vectors = [&words](std::span<const forebay::RowRef> rows, const float** out) {
    for (const forebay::RowRef& row : rows) {
      *out++ = words.vectors.view().row(row.row_position);
    }
  };
  return options;
}

/// A line for each word: its nearest neighbours, those from `first_new` on marked.
void ShowNeighbours(const forebay::IvfPqMemIndex& index, const Words& words,
                    const std::vector<std::size_t>& asked, std::size_t first_new,
                    const Terminal& terminal) {
  for (const std::size_t row : asked) {
    // One more than shown, as every word is its own nearest neighbour.
    const auto found =
        OrThrow(index.Search(words.rows(row, row + 1), HowToSearch(words, kNeighbours + 1)));
    std::string line = "  " + terminal.Bold(fmt::format("{:<10}", words.words[row]));
    for (const forebay::Hit& hit : found[0]) {
      if (hit.row_position == row) {
        continue;
      }
      const bool is_new = hit.row_position >= first_new;
      const std::string text =
          fmt::format("{} {:<14}", is_new ? '+' : ' ', words.words[hit.row_position]);
      line += is_new ? terminal.Green(text) : text;
    }
    fmt::print("{}\n", line);
  }
}

/// What a searching thread has to tell.
struct Searches {
  std::vector<double> us;
  std::size_t found = 0;
};

/// Looks for the newest word, again and again, until `writing` ends.
Searches SearchForTheNewest(const forebay::IvfPqMemIndex& index, const Words& words,
                            const std::atomic<bool>& writing) {
  Searches searches;
  const auto options = HowToSearch(words, kNeighbours);
  while (writing.load(std::memory_order_relaxed)) {
    const std::size_t newest = index.size() - 1;
    const auto start = Clock::now();
    const auto result = OrThrow(index.Search(words.rows(newest, newest + 1), options));
    searches.us.push_back(Microseconds(Clock::now() - start).count());
    searches.found += static_cast<std::size_t>(
        std::any_of(result[0].begin(), result[0].end(),
                    [&](const forebay::Hit& hit) { return hit.row_position == newest; }));
  }
  return searches;
}

/// Writes the rows from kFirstRows on at a steady rate. Returns each batch's time in Insert.
std::vector<double> WriteTheRest(forebay::IvfPqMemIndex& index, const Words& words,
                                 const Terminal& terminal) {
  std::vector<double> us;
  const auto start = Clock::now();
  for (std::size_t begin = kFirstRows; begin < words.size(); begin += kBatchRows) {
    const std::size_t end = std::min(begin + kBatchRows, words.size());
    std::this_thread::sleep_until(start + std::chrono::microseconds(1'000'000) *
                                              (end - kFirstRows) / kRowsPerSecond);
    const auto arrived = Clock::now();
    OrThrow(index.Insert(words.rows(begin, end), begin));
    us.push_back(Microseconds(Clock::now() - arrived).count());
    if (terminal.is_terminal) {
      fmt::print("\r  {} words, the newest is {:<24}", Count(end), words.words[end - 1]);
      std::fflush(stdout);
    }
  }
  if (terminal.is_terminal) {
    fmt::print("\r\x1b[K");
  }
  return us;
}

double Percentile(std::vector<double>& us, std::size_t percent) {
  std::sort(us.begin(), us.end());
  return us.empty() ? 0 : us[(us.size() - 1) * percent / 100];
}

/// Writes and searches at the same time, then says how it went.
void Stream(forebay::IvfPqMemIndex& index, const Words& words, const Terminal& terminal) {
  const std::size_t num_threads = std::clamp(std::thread::hardware_concurrency(), 2U, 4U) - 1;
  std::vector<Searches> searches(num_threads);
  std::vector<double> written;
  {
    std::atomic<bool> writing = true;
    std::vector<std::jthread> threads;
    threads.reserve(num_threads);
    for (Searches& of_thread : searches) {
      threads.emplace_back([&] { of_thread = SearchForTheNewest(index, words, writing); });
    }
    written = WriteTheRest(index, words, terminal);
    writing = false;
  }
  Searches all;
  for (const Searches& of_thread : searches) {
    all.us.insert(all.us.end(), of_thread.us.begin(), of_thread.us.end());
    all.found += of_thread.found;
  }
  fmt::print("  {:<20} p50 {:6.0f} us   p99 {:6.0f} us   ({} batches of {})\n", "write to visible",
             Percentile(written, 50), Percentile(written, 99), written.size(), kBatchRows);
  fmt::print("  {:<20} p50 {:6.0f} us   p99 {:6.0f} us   ({} searches, {} thread{})\n",
             "search meanwhile", Percentile(all.us, 50), Percentile(all.us, 99),
             Count(all.us.size()), num_threads, num_threads == 1 ? "" : "s");
  fmt::print("  {:<20} {} of {} searches for the newest word\n\n", "found", Count(all.found),
             Count(all.us.size()));
}

std::vector<std::size_t> FindRows(const Words& words, std::span<const char* const> wanted) {
  std::vector<std::size_t> rows;
  for (const std::string_view word : wanted) {
    const auto known = words.words.begin() + static_cast<std::ptrdiff_t>(kFirstRows);
    const auto place = std::find(words.words.begin(), known, word);
    if (place == known) {
      throw std::runtime_error(
          fmt::format("`{}` is not among the first {} words", word, Count(kFirstRows)));
    }
    rows.push_back(static_cast<std::size_t>(std::distance(words.words.begin(), place)));
  }
  return rows;
}

void Run(const std::string& path, std::span<const char* const> wanted) {
  const Terminal terminal;
  const Words words = Read(path);
  const std::vector<std::size_t> asked = FindRows(words, wanted);

  const auto start = Clock::now();
  const auto model =
      OrThrow(forebay::Train(words.rows(0, kFirstRows),
                             {.num_partitions = 128,
                              .num_sub_vectors = 25,
                              .metric = forebay::Metric::kCosine,
                              .num_threads = std::max(1U, std::thread::hardware_concurrency())}));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  auto index = OrThrow(forebay::IvfPqMemIndex::Create(
      model, {.capacity = words.size() / model.ivf().num_partitions()}));
  OrThrow(index.Insert(words.rows(0, kFirstRows), 0));

  fmt::print("{}\n", terminal.Dim(fmt::format("A model trained on {} words in {:.1f} s.",
                                              Count(kFirstRows), seconds)));
  fmt::print("\nNearest to each, among the {} words written so far:\n\n", Count(index.size()));
  ShowNeighbours(index, words, asked, words.size(), terminal);

  fmt::print("\nWriting {} more, {} a second, while others search for the newest:\n\n",
             Count(words.size() - kFirstRows), Count(kRowsPerSecond));
  Stream(index, words, terminal);

  fmt::print("Nearest among all {} words; {} were just written:\n\n", Count(index.size()),
             terminal.Green("+ those"));
  ShowNeighbours(index, words, asked, kFirstRows, terminal);
}

}  // namespace

int main(int argc, char** argv) {
  static constexpr const char* kWords[] = {"river",  "guitar", "king",    "python",
                                           "coffee", "berlin", "physics", "violin"};
  if (argc < 2) {
    fmt::print(stderr, "usage: forebay_live_words FILE [WORD...]\n");
    return 2;
  }
  const std::span<char* const> given(argv + 2, argv + argc);
  const std::vector<const char*> words(given.begin(), given.end());
  try {
    Run(argv[1], words.empty() ? std::span<const char* const>(kWords) : words);
  } catch (const std::exception& error) {
    fmt::print(stderr, "forebay_live_words: {}\n", error.what());
    return 1;
  }
  return 0;
}
