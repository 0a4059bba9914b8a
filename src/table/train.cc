// Train: a model of a snapshot's rows, and an index of them, are made while the table goes on;
// then, in the leader's turn, the index catches up and both become the table's.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/no_throw.h"
#include "model/quantization_error.h"
#include "model/sampling.h"
#include "table/log_files.h"
#include "table/model_store.h"
#include "table/table_impl.h"

namespace forebay {
namespace {

using table::RowPlace;
using table::Source;
using table::Version;

/// Up to max_rows live rows, drawn at random, one after the other.
std::vector<float> GatherLive(const Version& version, std::size_t dim, std::size_t max_rows,
                              std::uint64_t seed) {
  std::vector<RowPlace> live;
  live.reserve(version.num_live());
  for (std::uint32_t source = 0; source < version.sources.size(); ++source) {
    for (std::uint32_t row = 0; row < version.sources[source]->rows.size(); ++row) {
      if (!version.sources[source]->IsDead(row)) {
        live.push_back({source, row});
      }
    }
  }
  std::vector<float> room(dim);
  std::vector<float> vectors;
  vectors.reserve(std::min(live.size(), max_rows) * dim);
  for (const std::size_t i : model::SampleAscending(live.size(), max_rows, seed)) {
    const float* const vector = version.Vector(live[i], room.data());
    vectors.insert(vectors.end(), vector, vector + dim);
  }
  return vectors;
}

/// Training draws as many rows for each centroid and codeword, so a copy of these is enough.
std::size_t NumTrained(const TrainOptions& options, std::size_t num_rows) {
  const std::size_t num_codewords = options.num_bits == 4 ? 16 : 256;
  const std::size_t num_means = std::max(options.num_partitions, num_codewords);
  const bool all = options.sample_rate > num_rows / std::max<std::size_t>(num_means, 1);
  return all ? num_rows : options.sample_rate * num_means;
}

/// Indexes the rows of a MemTable from the ordinal `begin` on.
Status IndexRows(const table::Rows& rows, std::uint32_t begin, std::size_t num_threads,
                 IvfPqMemIndex* index) {
  std::vector<VectorBatch> batches;
  for (const auto& batch : rows.batches()) {
    if (batch->end() <= begin) {
      continue;
    }
    const std::uint32_t first = std::max(begin, batch->first_ordinal);
    const auto vectors = batch->vectors.All();  // The MemTable's own.
    if (!vectors.ok()) {
      return vectors.status();
    }
    const VectorView all = (*vectors)->view();
    batches.push_back(
        {.vectors = {all.row(first - batch->first_ordinal), batch->end() - first, all.dim},
         .first_row_position = first});
  }
  return index->InsertBatches(batches, num_threads).status();
}

}  // namespace

Status Table::Impl::Train(const TrainOptions& asked) {
  return NoThrow([&]() -> Status {
    const auto version = Current();
    if (!version.ok()) {
      return version.status();
    }
    Write ask;  // Before the work, not after.
    ask.alone = [this] { return CheckWritable(); };
    if (Status writable = Commit(&ask); !writable.ok()) {
      return writable;
    }
    TrainOptions train = asked;
    train.metric = metric_;
    const std::size_t num_trained = NumTrained(train, (*version)->num_live());
    const std::vector<float> vectors =
        GatherLive(**version, schema_.dim(), num_trained, train.seed);
    const auto model =
        forebay::Train({vectors.data(), vectors.size() / schema_.dim(), schema_.dim()}, train);
    if (!model.ok()) {
      return model.status();
    }
    const double error = model::SampleQuantizationError(
        *model, vectors.size() / schema_.dim(), train.seed,
        [&](std::size_t row) { return vectors.data() + row * schema_.dim(); });
    auto made = IvfPqMemIndex::Create(*model, IndexOptions());
    if (!made.ok()) {
      return made.status();
    }
    auto index = std::make_shared<IvfPqMemIndex>(*std::move(made));
    const table::Rows& rows = (*version)->memtable().rows;
    Status indexed = IndexRows(rows, 0, options_.num_threads, index.get());
    if (!indexed.ok()) {
      return indexed;
    }
    Write write;
    write.alone = [&] { return UseModel(*model, error, index, rows.first_row_id()); };
    return Commit(&write);
  });
}

Status Table::Impl::UseModel(const IvfPqModel& model, double quantization_error,
                             std::shared_ptr<IvfPqMemIndex> index, std::uint64_t first_row_id) {
  if (Status writable = CheckWritable(); !writable.ok()) {
    return writable;
  }
  auto after = std::make_shared<Version>(*version_);
  Source memtable = after->memtable();
  if (memtable.rows.first_row_id() != first_row_id) {  // It was flushed meanwhile.
    auto empty = IvfPqMemIndex::Create(model, IndexOptions());
    if (!empty.ok()) {
      return empty.status();
    }
    index = std::make_shared<IvfPqMemIndex>(*std::move(empty));
  }
  Status indexed = IndexRows(memtable.rows, static_cast<std::uint32_t>(index->size()),
                             options_.num_threads, index.get());
  if (!indexed.ok()) {
    return indexed;
  }
  after->model = model;
  memtable.index = std::move(index);
  after->SetMemTable(std::move(memtable));
  if (manifest_.model_fingerprint != model.fingerprint()) {
    // A generation may name it, and it is not to be gone for a moment.
    const bool is_there = table::NamedModels(manifest_).contains(model.fingerprint());
    const Status written = is_there ? Status::Ok() : table::WriteModel(directory_.get(), model);
    if (!written.ok()) {
      return Poison(written);
    }
    table::Manifest next = manifest_;
    next.model_fingerprint = model.fingerprint();
    next.model_quantization_error = quantization_error;
    after->model_quantization_error = quantization_error;
    if (Status published = PublishNext(std::move(next)); !published.ok()) {
      return Poison(published);  // It may be the newest one or not.
    }
  }
  Publish(std::move(after));
  return Status::Ok();
}

}  // namespace forebay
