// Merge: generations that follow each other become one, without their dead rows. Codes are copied
// where all have the table's model. Reads and writes go on; rows that die meanwhile are dead in the
// new generation from the moment on in which it takes the place of the others.
#include "index/merge.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/no_throw.h"
#include "segment/key_file.h"
#include "table/generation.h"
#include "table/log_files.h"
#include "table/merge_policy.h"
#include "table/row_runs.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::RowBatch;
using table::Source;
using table::Version;

/// Keeps what is written to so many bytes a second; 0: as fast as it goes.
class Pace {
 public:
  /// Nobody waits any more when `stopping` is true.
  Pace(std::uint64_t bytes_per_second, const std::atomic<bool>& stopping)
      : bytes_per_second_(bytes_per_second), stopping_(stopping) {}

  void Wait(std::uint64_t num_bytes) {
    num_bytes_ += num_bytes;
    const double seconds = bytes_per_second_ == 0 ? 0
                                                  : static_cast<double>(num_bytes_) /
                                                        static_cast<double>(bytes_per_second_);
    const auto until = start_ + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(seconds));
    while (!stopping_ && Clock::now() < until) {
      std::this_thread::sleep_until(std::min(until, Clock::now() + std::chrono::milliseconds(20)));
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  const std::uint64_t bytes_per_second_;
  const std::atomic<bool>& stopping_;
  const Clock::time_point start_ = Clock::now();
  std::uint64_t num_bytes_ = 0;
};

/// For each row of a source its ordinal among the live ones of all, from `first` on.
std::vector<std::uint32_t> NewOrdinals(const Source& source, std::uint32_t first) {
  std::vector<std::uint32_t> ordinals(source.rows.size());
  for (std::uint32_t row = 0; row < source.rows.size(); ++row) {
    ordinals[row] = first;
    first += source.IsDead(row) ? 0U : 1U;
  }
  return ordinals;
}

/// Generations on their way to become one.
class Merging {
 public:
  explicit Merging(std::vector<std::shared_ptr<const Source>> sources)
      : sources_(std::move(sources)) {
    std::uint32_t next = 0;
    for (const auto& source : sources_) {
      new_ordinals_.push_back(NewOrdinals(*source, next));
      next += static_cast<std::uint32_t>(source->num_live());
    }
    num_rows_ = next;
  }

  [[nodiscard]] std::uint32_t num_rows() const { return num_rows_; }

  /// The live rows of the next batch that has some; nullptr: there is none.
  Result<std::shared_ptr<arrow::RecordBatch>> Next(const table::Projection& projection) {
    for (; source_ < sources_.size(); ++source_, batch_ = 0) {
      const Source& source = *sources_[source_];
      while (batch_ < source.rows.batches().size()) {
        const RowBatch& batch = *source.rows.batches()[batch_++];
        const auto runs = table::RunsWhere(batch.batch->num_rows(), [&](std::int64_t i) {
          return !source.IsDead(batch.first_ordinal + static_cast<std::uint32_t>(i));
        });
        if (runs.empty()) {
          continue;
        }
        auto all = projection.Of(batch);
        return all.ok() ? table::KeepRuns(**all, runs) : std::move(all);
      }
    }
    return std::shared_ptr<arrow::RecordBatch>();
  }

  /// Of their codes, if all have this model; else of their vectors.
  [[nodiscard]] Result<IvfPqMemIndex> MakeIndex(const IvfPqModel& model,
                                                const MemIndexOptions& options,
                                                std::size_t num_threads) const {
    const bool same = std::all_of(sources_.begin(), sources_.end(), [&](const auto& source) {
      return source->index != nullptr &&
             source->index->model().fingerprint() == model.fingerprint();
    });
    return same ? CopyCodes(options) : Encode(model, options, num_threads);
  }

  [[nodiscard]] std::vector<std::pair<table::Key, std::uint32_t>> Keys() const {
    std::vector<std::pair<table::Key, std::uint32_t>> keys;
    keys.reserve(num_rows_);
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      sources_[i]->key_file->ForEach([&](std::string_view key, std::uint32_t row) {
        if (!sources_[i]->IsDead(row)) {
          keys.emplace_back(key, new_ordinals_[i][row]);
        }
      });
    }
    return keys;
  }

  /// Which of the new rows have died since: those that are dead in `now`, the same sources, and
  /// were alive in these.
  [[nodiscard]] std::vector<std::uint32_t> DeadSince(
      std::span<const std::shared_ptr<const Source>> now) const {
    std::vector<std::uint32_t> dead;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      if (now[i]->num_dead == sources_[i]->num_dead) {
        continue;
      }
      now[i]->dead->ForEach([&](std::uint32_t row) {
        if (!sources_[i]->IsDead(row)) {
          dead.push_back(new_ordinals_[i][row]);
        }
      });
    }
    return dead;
  }

 private:
  [[nodiscard]] Result<IvfPqMemIndex> CopyCodes(const MemIndexOptions& options) const {
    std::vector<index::IndexPart> parts;
    parts.reserve(sources_.size());
    for (const auto& source : sources_) {
      parts.push_back({.index = source->index.get(),
                       .dead = source->dead == nullptr ? Bitmap() : source->dead->bitmap(),
                       .num_rows = source->rows.size()});
    }
    return index::MergeIndexes(parts, options);
  }

  [[nodiscard]] Result<IvfPqMemIndex> Encode(const IvfPqModel& model,
                                             const MemIndexOptions& options,
                                             std::size_t num_threads) const {
    auto made = IvfPqMemIndex::Create(model, options);
    if (!made.ok()) {
      return made;
    }
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      for (const auto& batch : sources_[i]->rows.batches()) {
        const auto vectors = batch->vectors.All();
        if (!vectors.ok()) {
          return vectors.status();
        }
        std::vector<VectorBatch> live;
        for (const table::RowRun& run :
             table::RunsWhere(batch->batch->num_rows(), [&](std::int64_t row) {
               return !sources_[i]->IsDead(batch->first_ordinal + static_cast<std::uint32_t>(row));
             })) {
          const VectorView all = (*vectors)->view();
          const auto first = static_cast<std::size_t>(run.first);
          live.push_back({.vectors = {all.row(first), static_cast<std::size_t>(run.count), all.dim},
                          .first_row_position = new_ordinals_[i][batch->first_ordinal + first]});
        }
        if (auto inserted = made->InsertBatches(live, num_threads); !inserted.ok()) {
          return inserted.status();
        }
      }
    }
    return made;
  }

  const std::vector<std::shared_ptr<const Source>> sources_;
  std::vector<std::vector<std::uint32_t>> new_ordinals_;  // By source and old ordinal.
  std::uint32_t num_rows_ = 0;
  std::size_t source_ = 0;  // The next batch is this one's
  std::size_t batch_ = 0;   // of this number.
};

std::vector<table::GenerationSize> SizesOf(const Version& version) {
  std::vector<table::GenerationSize> sizes;
  for (const auto& source : version.sources) {
    const GenerationStats& files = source->generation;
    if (files.number != 0) {
      sizes.push_back({source->num_live(), source->num_dead,
                       files.row_bytes + files.index_bytes + files.key_bytes + files.mask_bytes});
    }
  }
  return sizes;
}

}  // namespace

Status Table::Impl::Merge() {
  return NoThrow([&]() -> Status {
    Write ask;  // Before what a forked child's parent may hold.
    ask.alone = [this] { return CheckWritable(); };
    if (Status writable = Commit(&ask); !writable.ok()) {
      return writable;
    }
    const std::scoped_lock lock(merge_mutex_);
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    const auto sizes = SizesOf(**version);
    const bool merged = sizes.empty() || (sizes.size() == 1 && sizes.front().num_dead == 0);
    return merged ? Status::Ok() : MergeGenerations({0, sizes.size()}, 0);
  });
}

void Table::Impl::MergeInBackground() noexcept {
  if (options_.merge_fan_in == 0) {
    return;
  }
  // Without memory for it, the next flush tries again.
  static_cast<void>(NoThrow([&] {
    merger_->Run([this] { MergeChosen(); });
    return Status::Ok();
  }));
}

void Table::Impl::MergeChosen() {
  const Status status = NoThrow([&]() -> Status {
    const std::scoped_lock lock(merge_mutex_);
    while (!stopping_) {
      const auto version = Current();
      if (!version.ok()) {
        return Status::Ok();  // It was closed.
      }
      const auto chosen =
          table::ChooseMerge(SizesOf(**version), options_.merge_fan_in, options_.max_merge_bytes);
      if (!chosen.has_value()) {
        break;
      }
      if (Status merged = MergeGenerations(*chosen, options_.merge_bytes_per_second);
          !merged.ok()) {
        return merged;
      }
    }
    return Status::Ok();
  });
  // The next flush tries again. (A failure that endangers anything has made the table refuse
  // writes.)
  num_failed_merges_ += status.ok() || stopping_ ? 0U : 1U;
}

Status Table::Impl::MergeGenerations(table::GenerationRange range, std::uint64_t bytes_per_second) {
  std::uint64_t number = 0;
  std::shared_ptr<const Version> before;
  Write begin;
  begin.alone = [&]() -> Status {
    if (Status writable = CheckWritable(); !writable.ok()) {
      return writable;
    }
    number = manifest_.next_generation++;
    before = version_;
    return SyncAll();  // Rows that are left out must not come back.
  };
  if (Status begun = Commit(&begin); !begun.ok()) {
    return begun;
  }
  const auto first = before->sources.begin() + static_cast<std::ptrdiff_t>(range.first);
  std::uint64_t num_rows = 0;
  for (std::size_t i = 0; i < range.count; ++i) {
    num_rows += first[static_cast<std::ptrdiff_t>(i)]->num_live();
  }
  if (num_rows > table::kMaxGenerationRows) {
    return Status::CapacityExceeded(
        fmt::format("a generation has at most {} rows; these {} have {} together",
                    table::kMaxGenerationRows, range.count, num_rows));
  }
  Merging merging({first, first + static_cast<std::ptrdiff_t>(range.count)});
  const auto projection = StoredColumns();
  if (!projection.ok()) {
    return projection.status();
  }
  Pace pace(bytes_per_second, stopping_);
  table::GenerationContent content = {.number = number, .num_rows = merging.num_rows()};
  content.next = [&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
    auto batch = stopping_ ? Closed() : merging.Next(*projection);
    if (batch.ok() && *batch != nullptr) {
      pace.Wait(static_cast<std::uint64_t>((*batch)->num_rows()) * schema_.dim() * sizeof(float));
    }
    return batch;
  };
  std::optional<IvfPqMemIndex> index;
  if (before->model.has_value()) {
    auto made = merging.MakeIndex(*before->model, IndexOptions(), options_.num_threads);
    if (!made.ok()) {
      return made.status();
    }
    index = *std::move(made);
    content.index = &*index;
  }
  if (schema_.key_column().has_value()) {
    content.keys = merging.Keys();
  }
  std::optional<table::NewGeneration> generation;
  if (merging.num_rows() > 0) {
    auto made = table::MakeGeneration(directory_.get(), schema_, std::move(content), before->model);
    if (!made.ok()) {
      return made.status();
    }
    generation = *std::move(made);
  }
  Write write;
  write.alone = [&] {
    // Flushes add generations behind these, and nobody else merges.
    const std::span now = std::span(version_->sources).subspan(range.first, range.count);
    if (const auto dead = merging.DeadSince(now); !dead.empty()) {
      generation->source.Kill(dead);  // They were alive, so there is one.
    }
    return InstallMerged(range, std::move(generation));
  };
  return RemoveUnlessOk(number, Commit(&write));
}

Status Table::Impl::InstallMerged(table::GenerationRange range,
                                  std::optional<table::NewGeneration> generation) {
  if (Status writable = CheckWritable(); !writable.ok()) {
    return writable;
  }
  auto after = std::make_shared<Version>(*version_);
  table::Manifest next = manifest_;
  const auto replace = [&](auto* all, auto with) {
    const auto first = all->begin() + static_cast<std::ptrdiff_t>(range.first);
    const auto place = all->erase(first, first + static_cast<std::ptrdiff_t>(range.count));
    if (generation.has_value()) {
      all->insert(place, std::move(with));
    }
  };
  replace(&after->sources,
          generation ? std::make_shared<const Source>(std::move(generation->source)) : nullptr);
  replace(&next.generations,
          generation ? std::move(generation->files) : table::ManifestGeneration());
  return InstallGenerations(std::move(after), std::move(next));
}

}  // namespace forebay
