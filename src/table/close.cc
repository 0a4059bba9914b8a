// Close: after the writes before it, sync what is left, note how much that is, and let go of
// everything.
#include <arrow/record_batch.h>
#include <unistd.h>

#include <utility>

#include "base/no_throw.h"
#include "table/table_impl.h"

namespace forebay {

Status Table::Impl::Close() {
  return NoThrow([&]() -> Status {
    if (IsForked()) {
      return Status::Ok();  // All of it is the parent's.
    }
    const std::scoped_lock closing(close_mutex_);
    const bool flushes = options_.flush_on_close && flusher_ != nullptr && !stopping_;
    const Status flushed = flushes ? Flush() : Status::Ok();
    if (timer_ != nullptr) {
      timer_->Stop();
    }
    if (flusher_ != nullptr) {
      StopFlushing();  // What is not flushed is in the log.
      flusher_->Stop();
      merger_->Stop();
    }
    Write write;
    write.alone = [this] { return CloseAlone(); };
    Status closed = Commit(&write);
    return closed.ok() ? flushed : closed;
  });
}

Status Table::Impl::CloseAlone() {
  Status closed;
  if (log_ != nullptr && !refuses_) {
    closed = log_->durable_size() < log_->size() ? SyncLog() : Status::Ok();
    closed = closed.ok() ? NoteDurableBytes() : closed;
  } else if (log_ != nullptr && log_->durable_size() < log_->size() &&
             options_.sync != SyncPolicy::kAlways) {
    closed = CheckWritable();  // What was acknowledged without a sync can no longer be durable.
  }
  refuses_ = true;
  refusal_ = Closed();
  log_.reset();
  lock_.reset();
  const std::scoped_lock lock(keys_mutex_);
  keys_ = {};
  Publish(nullptr);
  return closed;
}

Status Table::Impl::NoteDurableBytes() {
  if (manifest_.logs.back().durable_bytes == log_->durable_size()) {
    return Status::Ok();
  }
  return PublishNext(manifest_);
}

Status Table::Impl::PublishNext(table::Manifest next) {
  ++next.number;
  next.logs.back().durable_bytes = log_->durable_size();
  // If memory runs out on the way, it may be published.
  Status published = NoThrow([&] { return table::PublishManifest(directory_.get(), next); });
  if (published.ok()) {
    manifest_ = std::move(next);
  }
  return published;
}

bool Table::Impl::IsForked() const { return process_ != ::getpid(); }

Status Table::Impl::Closed() {
  return Status::FailedPrecondition("the table is closed; open it again");
}

Result<std::shared_ptr<const table::Version>> Table::Impl::Current() const {
  const std::scoped_lock lock(version_mutex_);
  if (version_ == nullptr) {
    return Closed();
  }
  return version_;
}

}  // namespace forebay
