#include "stream_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <iterator>
#include <random>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

namespace forebay::cli {
namespace {

constexpr std::size_t kMinIdleSearches = 1000;

/// The searches of one thread: how long each took, and what some of them answered.
class Searcher {
 public:
  Searcher(VectorView queries, VectorView rows, const StreamOptions& options, std::size_t thread)
      : queries_(queries),
        next_query_(thread * queries.num_rows / options.query_threads),
        max_answers_(options.recall_samples / options.query_threads + 1),
        random_(thread) {
    search_.k = options.k;
    search_.nprobes = options.nprobes;
    search_.refine_factor = options.refine_factor;
    search_.raw_vectors = [rows](std::span<const RowRef> found, const float** out) {
      std::transform(found.begin(), found.end(), out,
                     [rows](const RowRef& row) { return rows.row(row.row_position); });
    };
  }

  /// One search for the next query. It must see at least min_snapshot rows.
  Status SearchOnce(const IvfPqMemIndex& index, std::uint64_t min_snapshot) {
    const std::size_t query = next_query_++ % queries_.num_rows;
    const VectorView view = {queries_.row(query), 1, queries_.dim};
    const auto start = Clock::now();
    Result<SearchResult> result = index.Search(view, search_);
    latencies_.Add(Clock::now() - start);
    if (!result.ok()) {
      return result.status();
    }
    if (result->snapshot < min_snapshot) {
      return Status::FailedPrecondition(
          fmt::format("a search that started when {} rows were written saw only {}", min_snapshot,
                      result->snapshot));
    }
    Keep({query, result->snapshot, std::move(result->hits.front())});
    return Status::Ok();
  }

  LatencySamples TakeLatencies() { return std::exchange(latencies_, {}); }
  std::vector<SearchSample> TakeAnswers() {
    num_answers_ = 0;
    return std::exchange(answers_, {});
  }

 private:
  /// Reservoir sampling: every search so far is equally likely to be among those kept.
  void Keep(SearchSample answer) {
    ++num_answers_;
    if (answers_.size() < max_answers_) {
      answers_.push_back(std::move(answer));
      return;
    }
    const std::size_t slot =
        std::uniform_int_distribution<std::size_t>(0, num_answers_ - 1)(random_);
    if (slot < answers_.size()) {
      answers_[slot] = std::move(answer);
    }
  }

  VectorView queries_;
  std::size_t next_query_;
  std::size_t max_answers_;
  std::mt19937_64 random_;
  SearchOptions search_;
  LatencySamples latencies_;
  std::vector<SearchSample> answers_;
  std::size_t num_answers_ = 0;
};

/// Calls search(i) in a thread for each searcher, and waits for them all. The first error counts.
Status InThreads(std::size_t num_threads, const std::function<Status(std::size_t)>& search) {
  std::vector<Status> statuses(num_threads);
  {
    std::vector<std::jthread> threads;
    try {
      for (std::size_t i = 0; i < num_threads; ++i) {
        threads.emplace_back([&, i] { statuses[i] = search(i); });
      }
    } catch (const std::system_error& error) {
      statuses.back() = Status::OutOfMemory(
          fmt::format("expected to start {} query threads, got {} ({}); use fewer", num_threads,
                      threads.size(), error.what()));
    }
  }
  const auto failed =
      std::find_if(statuses.begin(), statuses.end(), [](const Status& s) { return !s.ok(); });
  return failed == statuses.end() ? Status::Ok() : *failed;
}

/// One stream into one index, with searches at the same time.
class Stream {
 public:
  Stream(IvfPqMemIndex& index, VectorView rows, const StreamOptions& options)
      : index_(index), rows_(rows), options_(options) {}

  /// Adds to what `measures` has of writing; the searchers keep what they measure.
  Status Run(std::vector<Searcher>& searchers, StreamMeasures& measures, Progress& progress) {
    Status searched;
    std::jthread searching([&] {
      searched = InThreads(searchers.size(),
                           [&](std::size_t i) { return SearchWhileWriting(searchers[i]); });
    });
    const Status written = Write(measures, progress);
    writing_.store(false, std::memory_order_release);
    Start();
    searching.join();
    progress.Clear();
    return written.ok() ? searched : written;
  }

 private:
  Status SearchWhileWriting(Searcher& searcher) {
    started_.wait(false, std::memory_order_acquire);
    Status status;
    while (status.ok() && writing_.load(std::memory_order_acquire)) {
      status = searcher.SearchOnce(index_, num_written_.load(std::memory_order_acquire));
    }
    if (!status.ok()) {
      writing_.store(false, std::memory_order_release);  // No use in going on.
    }
    return status;
  }

  // noexcept: searchers wait for the writer, so an exception here could never be caught.
  Status Write(StreamMeasures& measures, Progress& progress) noexcept {
    const auto start = Clock::now();
    auto end_of_insert = start;
    for (std::size_t begin = 0;
         begin < rows_.num_rows && writing_.load(std::memory_order_acquire);) {
      const std::size_t end = std::min(begin + options_.batch_rows, rows_.num_rows);
      const auto due = WaitUntilDue(start, end);
      const VectorView batch = {rows_.row(begin), end - begin, rows_.dim};
      const Result<InsertReport> inserted = index_.Insert(batch, begin);
      end_of_insert = Clock::now();
      if (!inserted.ok()) {
        return inserted.status();
      }
      num_written_.store(end, std::memory_order_release);
      Start();
      measures.visible.Add(end_of_insert - due);
      progress.Update("streaming", end, rows_.num_rows);
      begin = end;
    }
    measures.num_rows += num_written_.load(std::memory_order_relaxed);
    measures.ingest_seconds += std::chrono::duration<double>(end_of_insert - start).count();
    return Status::Ok();
  }

  /// Rows come in evenly; a batch is due when its last row is there. When the writer is late, the
  /// wait counts, as it would for whoever sent the rows.
  [[nodiscard]] Clock::time_point WaitUntilDue(Clock::time_point start, std::size_t end) const {
    if (options_.rows_per_s == 0) {
      return Clock::now();
    }
    const std::chrono::duration<double> offset(static_cast<double>(end) /
                                               static_cast<double>(options_.rows_per_s));
    const auto due = start + std::chrono::duration_cast<Clock::duration>(offset);
    std::this_thread::sleep_until(due);
    return due;
  }

  /// Searches wait for the first batch: an empty index would answer too fast to count.
  void Start() {
    started_.store(true, std::memory_order_release);
    started_.notify_all();
  }

  IvfPqMemIndex& index_;
  VectorView rows_;
  const StreamOptions& options_;
  std::atomic<bool> started_{false};
  std::atomic<bool> writing_{true};
  std::atomic<std::uint64_t> num_written_{0};
};

void Collect(std::vector<Searcher>& searchers, LatencySamples& latencies,
             std::vector<SearchSample>& answers) {
  for (Searcher& searcher : searchers) {
    latencies.Add(searcher.TakeLatencies());
    std::vector<SearchSample> taken = searcher.TakeAnswers();
    std::move(taken.begin(), taken.end(), std::back_inserter(answers));
  }
}

/// Every query at least once in each thread, with nothing else going on.
Status SearchIdle(const IvfPqMemIndex& index, std::vector<Searcher>& searchers,
                  std::size_t num_queries) {
  const std::size_t searches = std::max(num_queries, kMinIdleSearches);
  return InThreads(searchers.size(), [&](std::size_t thread) {
    Status status;
    for (std::size_t i = 0; status.ok() && i < searches; ++i) {
      status = searchers[thread].SearchOnce(index, index.size());
    }
    return status;
  });
}

}  // namespace

Result<StreamMeasures> RunStream(const IvfPqModel& model, VectorView rows, VectorView queries,
                                 const StreamOptions& options, Progress& progress) {
  std::vector<Searcher> searchers;
  for (std::size_t i = 0; i < options.query_threads; ++i) {
    searchers.emplace_back(queries, rows, options, i);
  }
  StreamMeasures measures;
  for (std::size_t pass = 0; pass < options.repeat; ++pass) {
    auto index = IvfPqMemIndex::Create(model, {.capacity = options.capacity});
    if (!index.ok()) {
      return index.status();
    }
    const Status streamed = Stream(*index, rows, options).Run(searchers, measures, progress);
    if (!streamed.ok()) {
      return streamed;
    }
    if (pass + 1 < options.repeat) {
      continue;
    }
    Collect(searchers, measures.search_load, measures.load_answers);
    const Status idle = SearchIdle(*index, searchers, queries.num_rows);
    if (!idle.ok()) {
      return idle;
    }
    Collect(searchers, measures.search_idle, measures.idle_answers);
    measures.bytes_per_vector =
        static_cast<double>(index->memory_usage().total()) / static_cast<double>(index->size());
  }
  return measures;
}

}  // namespace forebay::cli
