// The threads that oneDNN's primitives of the operators run on.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "dnnl.hpp"

namespace {

// Threads that look for the next job for a moment, because a convolution consists of several and waking a thread takes
// as long as a small one; then they sleep, because MindSpore computes with threads of its own between convolutions.
// Calls come from one thread at a time.
class Pool : public dnnl::threadpool_interop::threadpool_iface {
 public:
  explicit Pool(int threads) : threads_(threads) {
    for (int i = 1; i < threads; ++i) std::thread([this] { work(); }).detach();
  }
  int get_num_threads() const override { return threads_; }
  bool get_in_parallel() const override { return in_parallel_; }
  uint64_t get_flags() const override { return 0; }
  void wait() override {}

  void parallel_for(int count, const std::function<void(int, int)> &function) override {
    if (count == 1 || in_parallel_) {
      for (int i = 0; i < count; ++i) function(i, count);
      return;
    }
    {
      std::lock_guard<std::mutex> guard(mutex_);
      function_ = &function;
      count_ = count;
      next_ = 0;
      ++job_;
    }
    if (spinning_ < threads_ - 1) wake_.notify_all();
    run_parts(function, count);
    {
      std::lock_guard<std::mutex> guard(mutex_);
      function_ = nullptr;  // no thread joins from here on
    }
    spin([this] { return busy_ == 0; });
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  // Waits actively until `done()`, at most for some 50 microseconds.
  template <typename Done>
  static void spin(Done done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (!done() && std::chrono::steady_clock::now() < end) {
    }
  }

  void run_parts(const std::function<void(int, int)> &function, int count) {
    in_parallel_ = true;
    for (int i; (i = next_.fetch_add(1)) < count;) function(i, count);
    in_parallel_ = false;
  }

  void work() {
    uint64_t seen = 0;
    for (;;) {
      ++spinning_;
      spin([&] { return job_ != seen; });
      std::unique_lock<std::mutex> lock(mutex_);
      --spinning_;
      wake_.wait(lock, [&] { return job_ != seen; });
      seen = job_;
      if (function_ == nullptr) continue;  // others have done it
      const auto &function = *function_;
      const int count = count_;
      ++busy_;
      lock.unlock();
      run_parts(function, count);
      lock.lock();
      if (--busy_ == 0) idle_.notify_all();
    }
  }

  static thread_local bool in_parallel_;
  const int threads_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  const std::function<void(int, int)> *function_ = nullptr;
  int count_ = 0;
  std::atomic<int> next_{0}, busy_{0}, spinning_{0};
  std::atomic<uint64_t> job_{0};
};
thread_local bool Pool::in_parallel_ = false;

}  // namespace
