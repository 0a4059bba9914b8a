#include "table/filter_cache.h"

#include <algorithm>
#include <utility>

namespace forebay::table {

std::shared_ptr<const RowSet> FilterCache::Find(std::uint64_t generation,
                                                const arrow::compute::Expression& filter) {
  const std::scoped_lock lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.generation == generation && entry.filter.Equals(filter);
  });
  if (found == entries_.end()) {
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().rows;
}

void FilterCache::Add(std::uint64_t generation, const arrow::compute::Expression& filter,
                      std::shared_ptr<const RowSet> rows) {
  const std::scoped_lock lock(mutex_);
  entries_.push_front({generation, filter, std::move(rows)});
  num_bytes_ += entries_.front().rows->num_bytes();
  while (num_bytes_ > kMaxBytes || entries_.size() > kMaxEntries) {
    num_bytes_ -= entries_.back().rows->num_bytes();
    entries_.pop_back();
  }
}

}  // namespace forebay::table
