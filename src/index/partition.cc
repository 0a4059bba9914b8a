#include "index/partition.h"

#include <string>

namespace forebay::index {

Status Partition::TryAppend(const CodeRows& rows) {
  if (rows.num_rows > remaining_capacity()) {
    return Status::CapacityExceeded("partition full: " + std::to_string(remaining_capacity()) +
                                    " slots left, " + std::to_string(rows.num_rows) + " needed");
  }
  Append(rows);
  return Status::Ok();
}

void Partition::Append(const CodeRows& rows) {
  if (rows.num_rows == 0) {
    return;
  }
  Reserve(rows.num_rows);
  const BlockList* const list = list_.LoadByWriter();
  std::size_t row = end_.LoadByWriter().size;
  std::uint8_t* block = nullptr;
  for (std::size_t i = 0; i < rows.num_rows; ++i, ++row) {
    const std::size_t lane = row % simd::kBlockLanes;
    if (lane == 0 || block == nullptr) {
      block = store_->block(BlockOf(list, row / simd::kBlockLanes));
    }
    Write(block, lane, rows, i);
  }
  end_.StoreRelease({static_cast<std::uint32_t>(row), rows.ordinals[rows.num_rows - 1]});
}

void Partition::AppendLanes(const BlockRows& from, std::size_t first_lane, std::size_t num_lanes,
                            const std::uint32_t* ordinals) {
  Reserve(num_lanes);
  const BlockLayout& layout = store_->layout();
  const BlockList* const list = list_.LoadByWriter();
  std::size_t row = end_.LoadByWriter().size;
  for (std::size_t done = 0, n = 0; done < num_lanes; done += n, row += n) {
    const std::size_t lane = row % simd::kBlockLanes;
    n = std::min(num_lanes - done, simd::kBlockLanes - lane);
    std::uint8_t* const block = store_->block(BlockOf(list, row / simd::kBlockLanes));
    for (std::size_t j = 0; j < layout.code_len() * simd::kBlockLanes; j += simd::kBlockLanes) {
      std::copy_n(from.codes + j + first_lane + done, n, block + j + lane);
    }
    if (layout.has_terms()) {
      std::copy_n(from.terms + first_lane + done, n,
                  reinterpret_cast<float*>(block + layout.terms_offset()) + lane);
    }
    std::copy_n(ordinals + done, n,
                reinterpret_cast<std::uint32_t*>(block + layout.ordinals_offset()) + lane);
  }
  if (num_lanes > 0) {
    end_.StoreRelease({static_cast<std::uint32_t>(row), ordinals[num_lanes - 1]});
  }
}

void Partition::Adopt(std::uint32_t first_block, std::uint32_t num_rows) {
  if (num_rows == 0) {
    return;
  }
  const std::uint32_t last = (num_rows - 1) / simd::kBlockLanes;
  if (last >= kInHead) {
    list_.StoreRelease(MakeList(last + 1 - kInHead).release());
    store_->CountListBytes(BytesOf(*list_.LoadByWriter()));
  }
  BlockList* const list = list_.LoadByWriter();
  for (std::uint32_t b = 0; b <= last; ++b) {
    (b < kInHead ? head_[b] : list->numbers[b - kInHead]) = first_block + b;
  }
  num_blocks_.StoreRelease(last + 1);
  end_.StoreRelease({num_rows, OrdinalOf(num_rows - 1)});
}

void Partition::Reserve(std::size_t num_rows) {
  const std::size_t size = end_.LoadByWriter().size + num_rows;
  while (num_blocks_.LoadByWriter() * simd::kBlockLanes < size) {
    AddBlock();
  }
}

void Partition::AddBlock() {
  const std::uint32_t b = num_blocks_.LoadByWriter();
  if (b < kInHead) {
    head_[b] = store_->Allocate();
  } else {
    const std::size_t i = b - kInHead;
    BlockList* const list = ListWithRoomFor(i);
    list->numbers[i] = store_->Allocate();
  }
  num_blocks_.StoreRelease(b + 1);
}

std::unique_ptr<Partition::BlockList> Partition::MakeList(std::size_t size) {
  auto list = std::make_unique<BlockList>();
  list->size = size;
  list->numbers = std::make_unique_for_overwrite<std::uint32_t[]>(size);
  return list;
}

Partition::BlockList* Partition::ListWithRoomFor(std::size_t i) {
  BlockList* const list = list_.LoadByWriter();
  if (list != nullptr && i < list->size) {
    return list;
  }
  std::unique_ptr<BlockList> longer = MakeList(2 * i + kFirstInList);
  if (list != nullptr) {
    std::copy_n(list->numbers.get(), i, longer->numbers.get());
  }
  longer->replaced.reset(list);
  list_.StoreRelease(longer.get());
  store_->CountListBytes(BytesOf(*longer));
  return longer.release();
}

void Partition::Write(std::uint8_t* block, std::size_t lane, const CodeRows& rows,
                      std::size_t i) const {
  const BlockLayout& layout = store_->layout();
  const std::size_t code_len = layout.code_len();
  for (std::size_t j = 0; j < code_len; ++j) {
    block[j * simd::kBlockLanes + lane] = rows.codes[i * code_len + j];
  }
  reinterpret_cast<std::uint32_t*>(block + layout.ordinals_offset())[lane] = rows.ordinals[i];
  if (layout.has_terms()) {
    reinterpret_cast<float*>(block + layout.terms_offset())[lane] = rows.terms[i];
  }
}

std::uint32_t Partition::OrdinalOf(std::size_t row) const {
  const std::size_t lane = row % simd::kBlockLanes;
  const std::uint32_t block = BlockOf(list_.LoadAcquire(), row / simd::kBlockLanes);
  return RowsOf(block, lane + 1).ordinals[lane];
}

std::size_t Partition::SizeAt(std::uint32_t snapshot) const {
  const End end = end_.LoadAcquire();
  if (end.size == 0 || end.last_ordinal < snapshot) {
    return end.size;
  }
  std::size_t low = 0;
  std::size_t high = end.size;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (OrdinalOf(middle) < snapshot) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::vector<std::uint8_t> Partition::RowMajorCodes(std::size_t begin, std::size_t end) const {
  const std::size_t code_len = store_->layout().code_len();
  std::vector<std::uint8_t> codes;
  codes.reserve((end - begin) * code_len);
  std::size_t row = 0;
  ForEachBlock(end, [&](const BlockRows& block) {
    for (std::size_t lane = 0; lane < block.num_rows; ++lane, ++row) {
      for (std::size_t j = 0; j < code_len && row >= begin; ++j) {
        codes.push_back(block.codes[j * simd::kBlockLanes + lane]);
      }
    }
  });
  return codes;
}

std::vector<std::uint8_t> Partition::ColumnMajorCodes(std::size_t begin, std::size_t end) const {
  const std::size_t code_len = store_->layout().code_len();
  const std::size_t num_rows = end - begin;
  const std::vector<std::uint8_t> row_major = RowMajorCodes(begin, end);
  std::vector<std::uint8_t> codes(row_major.size());
  for (std::size_t i = 0; i < num_rows; ++i) {
    for (std::size_t j = 0; j < code_len; ++j) {
      codes[j * num_rows + i] = row_major[i * code_len + j];
    }
  }
  return codes;
}

std::vector<std::uint32_t> Partition::Ordinals(std::size_t begin, std::size_t end) const {
  std::vector<std::uint32_t> ordinals;
  ordinals.reserve(end - begin);
  std::size_t row = 0;
  ForEachBlock(end, [&](const BlockRows& block) {
    for (std::size_t lane = 0; lane < block.num_rows; ++lane, ++row) {
      if (row >= begin) {
        ordinals.push_back(block.ordinals[lane]);
      }
    }
  });
  return ordinals;
}

}  // namespace forebay::index
