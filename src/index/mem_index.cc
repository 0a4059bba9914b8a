#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <vector>

#include "base/no_throw.h"
#include "index/mem_index_impl.h"
#include "model/vector_check.h"

namespace forebay {
namespace {

Status CheckOptions(const IvfPqModel& model, const MemIndexOptions& options) {
  if (options.capacity == 0) {
    return Status::InvalidArgument("capacity must be at least 1 row for each partition; got 0");
  }
  if (options.capacity > std::numeric_limits<std::uint32_t>::max()) {
    return Status::InvalidArgument(fmt::format(
        "capacity must be below 2^32, as an index holds no more rows; got {}", options.capacity));
  }
  if (options.on_bad_vectors == OnBadVectors::kFill) {
    const std::vector<float> fill(model.dim(), options.fill_value);
    const auto defect = model::CheckVector(model.metric(), fill.data(), fill.size());
    if (defect != model::Defect::kNone) {
      return Status::InvalidArgument(fmt::format("fill_value {}: a vector filled with it {}",
                                                 options.fill_value, model::DefectText(defect)));
    }
  }
  return Status::Ok();
}

std::vector<index::Partition> MakePartitions(std::size_t num_partitions,
                                             index::BlockStore* blocks) {
  const std::vector<index::BlockStore*> stores(num_partitions, blocks);
  return {stores.begin(), stores.end()};  // Each one in its place, as partitions do not move.
}

}  // namespace

IvfPqMemIndex::Impl::Impl(IvfPqModel index_model, MemIndexOptions index_options)
    : model(std::move(index_model)),
      options(std::move(index_options)),
      blocks({options.capacity, model.pq().code_len(), model.residual()}),
      partitions(MakePartitions(model.ivf().num_partitions(), &blocks)) {}

PartitionEntries IvfPqMemIndex::Impl::Entries(std::size_t partition, std::uint32_t snapshot) const {
  const index::Partition& from = partitions[partition];
  const std::size_t size = from.SizeAt(snapshot);
  PartitionEntries entries;
  entries.codes = from.RowMajorCodes(0, size);
  entries.row_positions.reserve(size);
  index::RowPositions::Reader positions(row_positions);
  for (const std::uint32_t ordinal : from.Ordinals(0, size)) {
    entries.row_positions.push_back(positions[ordinal]);
  }
  return entries;
}

MemoryUsage IvfPqMemIndex::Impl::Usage() const {
  MemoryUsage usage;
  const std::size_t num_lanes = blocks.num_blocks() * simd::kBlockLanes;
  usage.codes = num_lanes * layout().code_len();
  usage.ordinals = num_lanes * sizeof(std::uint32_t);
  usage.vector_terms = layout().has_terms() ? num_lanes * sizeof(float) : 0;
  usage.partitions = partitions.size() * sizeof(index::Partition) + blocks.list_bytes();
  usage.row_positions = row_positions.allocated_bytes() + stored_positions.allocated_bytes();
  return usage;
}

Result<IvfPqMemIndex> IvfPqMemIndex::Create(IvfPqModel model, MemIndexOptions options) {
  return NoThrow([&]() -> Result<IvfPqMemIndex> {
    if (Status status = CheckOptions(model, options); !status.ok()) {
      return status;
    }
    return IvfPqMemIndex(std::make_unique<Impl>(model, options));
  });
}

IvfPqMemIndex::IvfPqMemIndex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IvfPqMemIndex::IvfPqMemIndex(IvfPqMemIndex&&) noexcept = default;
IvfPqMemIndex& IvfPqMemIndex::operator=(IvfPqMemIndex&&) noexcept = default;
IvfPqMemIndex::~IvfPqMemIndex() = default;

Result<InsertReport> IvfPqMemIndex::Insert(VectorView vectors, std::uint64_t first_row_position) {
  return Insert(VectorBatch{.vectors = vectors, .first_row_position = first_row_position});
}

Result<InsertReport> IvfPqMemIndex::Insert(const VectorBatch& batch) {
  return impl_->Insert({&batch, 1}, 1);
}

Result<InsertReport> IvfPqMemIndex::InsertBatches(std::span<const VectorBatch> batches,
                                                  std::size_t num_threads) {
  return impl_->Insert(batches, num_threads);
}

Result<SearchResult> IvfPqMemIndex::Search(VectorView queries, const SearchOptions& options) const {
  return impl_->Search(queries, options);
}

std::size_t IvfPqMemIndex::size() const { return impl_->num_visible.LoadAcquire(); }
const IvfPqModel& IvfPqMemIndex::model() const { return impl_->model; }
const MemIndexOptions& IvfPqMemIndex::options() const { return impl_->options; }
bool IvfPqMemIndex::read_only() const { return impl_->read_only; }

std::size_t IvfPqMemIndex::partition_size(std::size_t partition) const {
  const std::uint32_t snapshot = impl_->num_visible.LoadAcquire();
  return partition < num_partitions() ? impl_->partitions[partition].SizeAt(snapshot) : 0;
}

std::vector<std::size_t> IvfPqMemIndex::partition_sizes() const {
  const std::uint32_t snapshot = impl_->num_visible.LoadAcquire();
  std::vector<std::size_t> sizes;
  sizes.reserve(num_partitions());
  for (const index::Partition& partition : impl_->partitions) {
    sizes.push_back(partition.SizeAt(snapshot));
  }
  return sizes;
}

PartitionEntries IvfPqMemIndex::partition(std::size_t partition) const {
  const std::uint32_t snapshot = impl_->num_visible.LoadAcquire();
  return partition < num_partitions() ? impl_->Entries(partition, snapshot) : PartitionEntries();
}

std::vector<PartitionEntries> IvfPqMemIndex::partitions() const {
  const std::uint32_t snapshot = impl_->num_visible.LoadAcquire();
  std::vector<PartitionEntries> all;
  all.reserve(num_partitions());
  for (std::size_t p = 0; p < num_partitions(); ++p) {
    all.push_back(impl_->Entries(p, snapshot));
  }
  return all;
}

std::uint64_t IvfPqMemIndex::row_position(std::uint32_t ordinal) const {
  assert(ordinal < size());
  return index::RowPositions::Reader(impl_->row_positions)[ordinal];
}

MemoryUsage IvfPqMemIndex::memory_usage() const { return impl_->Usage(); }

std::size_t CapacityForMaxRows(std::size_t max_rows, std::size_t num_partitions) {
  constexpr std::size_t kShares = 8;
  const std::size_t share = max_rows / std::max<std::size_t>(num_partitions, 1);
  const std::size_t capacity = share > max_rows / kShares ? max_rows : share * kShares;
  return std::max<std::size_t>(capacity, 1);
}

}  // namespace forebay
