// Convolutions for MindSpore on a CPU, computed by the oneDNN library that MindSpore itself brings.
//
// MindSpore asks oneDNN for convolutions on plain (N, C, H, W) tensors, for which oneDNN 3.10 has no fast kernel with
// AVX-512. Here oneDNN chooses its own layouts (`format_tag::any`); tensors are reordered to and from them, as float32
// or as bfloat16 with float32 sums. `library.py` compiles this file, `cells.py` makes operators of its functions.
//
// oneDNN's C interface is declared here, because MindSpore's package holds the library without its headers. It is the
// same in all versions 3.x; the class `threadpool_iface` is that of version 3.10, which also suits versions without
// `wait`.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// ---- oneDNN -------------------------------------------------------------------------------------------------------

extern "C" {
struct dnnl_engine;
struct dnnl_stream;
struct dnnl_memory_desc;
struct dnnl_memory;
struct dnnl_primitive_desc;
struct dnnl_primitive;
struct dnnl_primitive_attr;
typedef int64_t dnnl_dims_t[12];
struct dnnl_exec_arg_t {
  int arg;
  dnnl_memory *memory;
};
struct dnnl_version_t {
  int major, minor, patch;
  const char *hash;
  unsigned cpu_runtime, gpu_runtime;
};
const dnnl_version_t *dnnl_version(void);
int dnnl_set_max_cpu_isa(int isa);
int dnnl_get_effective_cpu_isa(void);
int dnnl_engine_create(dnnl_engine **engine, int kind, size_t index);
int dnnl_threadpool_interop_stream_create(dnnl_stream **stream, dnnl_engine *engine, void *threadpool);
int dnnl_threadpool_interop_get_max_concurrency(int *threads);
int dnnl_threadpool_interop_set_max_concurrency(int threads);
int dnnl_stream_wait(dnnl_stream *stream);
int dnnl_memory_desc_create_with_tag(dnnl_memory_desc **desc, int ndims, const dnnl_dims_t dims, int type, int tag);
int dnnl_memory_desc_create_with_strides(dnnl_memory_desc **desc, int ndims, const dnnl_dims_t dims, int type,
                                         const dnnl_dims_t strides);
size_t dnnl_memory_desc_get_size(const dnnl_memory_desc *desc);
int dnnl_memory_desc_equal(const dnnl_memory_desc *one, const dnnl_memory_desc *other);
int dnnl_memory_desc_destroy(dnnl_memory_desc *desc);
int dnnl_memory_create(dnnl_memory **memory, const dnnl_memory_desc *desc, dnnl_engine *engine, void *data);
int dnnl_memory_set_data_handle(dnnl_memory *memory, void *data);
int dnnl_memory_destroy(dnnl_memory *memory);
int dnnl_convolution_forward_primitive_desc_create(
    dnnl_primitive_desc **desc, dnnl_engine *engine, int prop_kind, int algorithm, const dnnl_memory_desc *src,
    const dnnl_memory_desc *weights, const dnnl_memory_desc *bias, const dnnl_memory_desc *dst,
    const dnnl_dims_t strides, const dnnl_dims_t dilates, const dnnl_dims_t padding_left,
    const dnnl_dims_t padding_right, const dnnl_primitive_attr *attr);
int dnnl_convolution_backward_data_primitive_desc_create(
    dnnl_primitive_desc **desc, dnnl_engine *engine, int algorithm, const dnnl_memory_desc *diff_src,
    const dnnl_memory_desc *weights, const dnnl_memory_desc *diff_dst, const dnnl_dims_t strides,
    const dnnl_dims_t dilates, const dnnl_dims_t padding_left, const dnnl_dims_t padding_right,
    const dnnl_primitive_desc *forward, const dnnl_primitive_attr *attr);
int dnnl_convolution_backward_weights_primitive_desc_create(
    dnnl_primitive_desc **desc, dnnl_engine *engine, int algorithm, const dnnl_memory_desc *src,
    const dnnl_memory_desc *diff_weights, const dnnl_memory_desc *diff_bias, const dnnl_memory_desc *diff_dst,
    const dnnl_dims_t strides, const dnnl_dims_t dilates, const dnnl_dims_t padding_left,
    const dnnl_dims_t padding_right, const dnnl_primitive_desc *forward, const dnnl_primitive_attr *attr);
int dnnl_reorder_primitive_desc_create(dnnl_primitive_desc **desc, const dnnl_memory_desc *src, dnnl_engine *src_engine,
                                       const dnnl_memory_desc *dst, dnnl_engine *dst_engine,
                                       const dnnl_primitive_attr *attr);
const dnnl_memory_desc *dnnl_primitive_desc_query_md(const dnnl_primitive_desc *desc, int what, int index);
int dnnl_primitive_desc_destroy(dnnl_primitive_desc *desc);
int dnnl_primitive_create(dnnl_primitive **primitive, const dnnl_primitive_desc *desc);
int dnnl_primitive_execute(const dnnl_primitive *primitive, dnnl_stream *stream, int count,
                           const dnnl_exec_arg_t *args);
int dnnl_primitive_destroy(dnnl_primitive *primitive);
int dnnl_primitive_attr_create(dnnl_primitive_attr **attr);
int dnnl_primitive_attr_set_scratchpad_mode(dnnl_primitive_attr *attr, int mode);
int dnnl_primitive_attr_destroy(dnnl_primitive_attr *attr);
}

namespace dnnl {
namespace threadpool_interop {
struct threadpool_iface {
  virtual int get_num_threads() const = 0;
  virtual bool get_in_parallel() const = 0;
  virtual void parallel_for(int count, const std::function<void(int, int)> &function) = 0;
  virtual uint64_t get_flags() const = 0;
  virtual void wait() = 0;
  virtual ~threadpool_iface() {}
};
}  // namespace threadpool_interop
}  // namespace dnnl

namespace {

enum Value { kCpu = 1, kThreadpoolRuntime = 8, kAllIsa = 0, kBfloat16Isa = 0xe7, kAnyTag = 1, kBfloat16 = 2,
             kFloat32 = 3, kForwardTraining = 64, kDirect = 1, kScratchpadOfUser = 1 };
enum Query { kSrcDesc = 129, kDiffSrcDesc, kWeightsDesc, kDiffWeightsDesc, kDstDesc, kDiffDstDesc, kWorkspaceDesc,
             kScratchpadDesc };
enum Argument { kSrc = 1, kDst = 17, kWeights = 33, kScratchpad = 80, kDiffSrc = 129, kDiffDst = 145,
                kDiffWeights = 161 };

template <typename T, int (*destroy)(T *)>
struct Destroy {
  void operator()(T *object) const { destroy(object); }
};
using Desc = std::unique_ptr<dnnl_memory_desc, Destroy<dnnl_memory_desc, dnnl_memory_desc_destroy>>;
using Memory = std::unique_ptr<dnnl_memory, Destroy<dnnl_memory, dnnl_memory_destroy>>;
using PrimitiveDesc = std::unique_ptr<dnnl_primitive_desc, Destroy<dnnl_primitive_desc, dnnl_primitive_desc_destroy>>;
using Primitive = std::unique_ptr<dnnl_primitive, Destroy<dnnl_primitive, dnnl_primitive_destroy>>;
using Attr = std::unique_ptr<dnnl_primitive_attr, Destroy<dnnl_primitive_attr, dnnl_primitive_attr_destroy>>;
using Dims = std::vector<int64_t>;

void check(int status, const char *what) {
  if (status != 0) {
    throw std::runtime_error(std::string(what) + " failed with oneDNN's status " + std::to_string(status));
  }
}

// Calls `create(&object, arguments...)` and owns the object.
template <typename Owner, typename Create, typename... Arguments>
Owner make(const char *what, Create create, Arguments... arguments) {
  typename Owner::pointer object = nullptr;
  check(create(&object, arguments...), what);
  return Owner(object);
}

// ---- Threads ------------------------------------------------------------------------------------------------------

// Threads that sleep while there is nothing to do, because MindSpore computes with threads of its own between two
// convolutions. Calls come from one thread at a time.
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
    wake_.notify_all();
    run_parts(function, count);
    std::unique_lock<std::mutex> lock(mutex_);
    function_ = nullptr;  // a thread that wakes up only now finds nothing to do
    idle_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void run_parts(const std::function<void(int, int)> &function, int count) {
    in_parallel_ = true;
    for (int i; (i = next_.fetch_add(1)) < count;) function(i, count);
    in_parallel_ = false;
  }

  void work() {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return function_ != nullptr && job_ != seen; });
      seen = job_;
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
  int count_ = 0, busy_ = 0;
  uint64_t job_ = 0;
  std::atomic<int> next_{0};
};
thread_local bool Pool::in_parallel_ = false;

// ---- Convolutions -------------------------------------------------------------------------------------------------

// What all calls share. A mutex lets in one call at a time, since each uses all threads.
struct Context {
  std::mutex mutex;
  dnnl_engine *engine = nullptr;
  dnnl_stream *stream = nullptr;
  int threads = 0;
  char *buffer = nullptr;  // reordered tensors and scratchpad of one call
  size_t buffer_size = 0;
};
Context &context() {
  static Context *shared = new Context;  // never destroyed: threads may outlive static objects
  return *shared;
}

enum Kind { kForward, kBackwardInput, kBackwardWeights };

// Stride, dilation and first padding (rows, columns), groups, whether to compute in bfloat16: the last input of each
// operator, int64. A padding of -1 stands for TensorFlow's "same". The last padding follows from the shapes.
struct Geometry {
  int64_t stride[2], dilation[2], padding[2], groups, bfloat16;
};

// A convolution of certain shapes: its primitive, and the reorders between its layouts and the plain ones.
class Convolution {
 public:
  // `x`, `w` and `y` are the shapes of the forward convolution's input, weights and output.
  Convolution(Kind kind, const Dims &x, Dims w, const Dims &y, const Geometry &geometry) {
    dnnl_engine *engine = context().engine;
    dnnl_dims_t stride, dilation, first, last;
    for (int i = 0; i < 2; ++i) {
      stride[i] = geometry.stride[i];
      dilation[i] = geometry.dilation[i] - 1;
      const int64_t total = (y[2 + i] - 1) * stride[i] + (w[2 + i] - 1) * geometry.dilation[i] + 1 - x[2 + i];
      first[i] = geometry.padding[i] >= 0 ? geometry.padding[i] : std::max<int64_t>(total, 0) / 2;
      last[i] = std::max<int64_t>(total - first[i], 0);
    }
    if (geometry.groups > 1) w = {geometry.groups, w[0] / geometry.groups, w[1], w[2], w[3]};
    const int type = geometry.bfloat16 ? kBfloat16 : kFloat32;
    // The result of each kind is float32, so that sums are not rounded.
    const Desc src = any(x, kind == kBackwardInput ? kFloat32 : type);
    const Desc weights = any(w, kind == kBackwardWeights ? kFloat32 : type);
    const Desc dst = any(y, kind == kForward ? kFloat32 : type);
    const Desc hint_src = any(x, type), hint_weights = any(w, type);
    const Attr attr = make<Attr>("dnnl_primitive_attr_create", dnnl_primitive_attr_create);
    check(dnnl_primitive_attr_set_scratchpad_mode(attr.get(), kScratchpadOfUser), "set_scratchpad_mode");
    PrimitiveDesc desc = make<PrimitiveDesc>(
        "dnnl_convolution_forward", dnnl_convolution_forward_primitive_desc_create, engine, kForwardTraining, kDirect,
        hint_src.get(), hint_weights.get(), nullptr, dst.get(), stride, dilation, first, last, attr.get());
    if (kind == kForward) {
      add(desc, kSrc, kSrcDesc, x);
      add(desc, kWeights, kWeightsDesc, w);
      add(desc, kDst, kDstDesc, y);
    } else if (kind == kBackwardInput) {
      desc = make<PrimitiveDesc>("dnnl_convolution_backward_data", dnnl_convolution_backward_data_primitive_desc_create,
                                 engine, kDirect, src.get(), weights.get(), dst.get(), stride, dilation, first, last,
                                 desc.get(), attr.get());
      add(desc, kDiffDst, kDiffDstDesc, y);
      add(desc, kWeights, kWeightsDesc, w);
      add(desc, kDiffSrc, kDiffSrcDesc, x);
    } else {
      desc = make<PrimitiveDesc>("dnnl_convolution_backward_weights",
                                 dnnl_convolution_backward_weights_primitive_desc_create, engine, kDirect, src.get(),
                                 weights.get(), nullptr, dst.get(), stride, dilation, first, last, desc.get(),
                                 attr.get());
      add(desc, kSrc, kSrcDesc, x);
      add(desc, kDiffDst, kDiffDstDesc, y);
      add(desc, kDiffWeights, kDiffWeightsDesc, w);
    }
    primitive_ = make<Primitive>("dnnl_primitive_create", dnnl_primitive_create, desc.get());
    const dnnl_memory_desc *scratchpad = dnnl_primitive_desc_query_md(desc.get(), kScratchpadDesc, 0);
    scratchpad_ = make<Memory>("dnnl_memory_create", dnnl_memory_create, scratchpad, engine, nullptr);
    scratchpad_offset_ = reserve(scratchpad);
  }

  // `tensors` are the two inputs and the result.
  void run(void *const tensors[3]) {
    Context &shared = context();
    if (size_ > shared.buffer_size) {
      std::free(shared.buffer);
      shared.buffer_size = 0;
      shared.buffer = static_cast<char *>(std::aligned_alloc(kAlignment, size_));
      if (shared.buffer == nullptr) throw std::runtime_error("memory for " + std::to_string(size_) + " bytes is lacking");
      shared.buffer_size = size_;
    }
    std::vector<dnnl_exec_arg_t> arguments;
    for (int i = 0; i < 3; ++i) {
      Operand &operand = operands_[i];
      dnnl_memory_set_data_handle(operand.plain.get(), tensors[i]);
      if (operand.reorder) dnnl_memory_set_data_handle(operand.packed.get(), shared.buffer + operand.offset);
      if (operand.reorder && i < 2) execute(operand.reorder, {{kSrc, operand.plain.get()}, {kDst, operand.packed.get()}});
      arguments.push_back({operand.argument, (operand.reorder ? operand.packed : operand.plain).get()});
    }
    dnnl_memory_set_data_handle(scratchpad_.get(), shared.buffer + scratchpad_offset_);
    arguments.push_back({kScratchpad, scratchpad_.get()});
    execute(primitive_, arguments);
    const Operand &result = operands_[2];
    if (result.reorder) execute(result.reorder, {{kSrc, result.packed.get()}, {kDst, result.plain.get()}});
    check(dnnl_stream_wait(shared.stream), "dnnl_stream_wait");
  }

 private:
  static constexpr size_t kAlignment = 64;

  struct Operand {
    int argument;
    Memory plain, packed;
    Primitive reorder;  // null where the plain layout is used
    size_t offset;
  };

  static Desc any(const Dims &dims, int type) {
    return make<Desc>("dnnl_memory_desc_create", dnnl_memory_desc_create_with_tag, static_cast<int>(dims.size()),
                      dims.data(), type, kAnyTag);
  }

  static void execute(const Primitive &primitive, const std::vector<dnnl_exec_arg_t> &arguments) {
    check(dnnl_primitive_execute(primitive.get(), context().stream, static_cast<int>(arguments.size()),
                                 arguments.data()),
          "dnnl_primitive_execute");
  }

  // Returns the offset of a tensor in the buffer.
  size_t reserve(const dnnl_memory_desc *desc) {
    const size_t offset = size_;
    size_ += (dnnl_memory_desc_get_size(desc) / kAlignment + 1) * kAlignment;
    return offset;
  }

  void add(const PrimitiveDesc &desc, int argument, int query, const Dims &dims) {
    dnnl_engine *engine = context().engine;
    Dims strides(dims.size(), 1);
    for (size_t i = dims.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * dims[i];
    const Desc plain = make<Desc>("dnnl_memory_desc_create", dnnl_memory_desc_create_with_strides,
                                  static_cast<int>(dims.size()), dims.data(), kFloat32, strides.data());
    const dnnl_memory_desc *packed = dnnl_primitive_desc_query_md(desc.get(), query, 0);
    Operand operand{argument, make<Memory>("dnnl_memory_create", dnnl_memory_create, plain.get(), engine, nullptr),
                    make<Memory>("dnnl_memory_create", dnnl_memory_create, packed, engine, nullptr), nullptr, 0};
    if (!dnnl_memory_desc_equal(plain.get(), packed)) {
      const bool is_result = operands_.size() == 2;
      const PrimitiveDesc reorder = make<PrimitiveDesc>(
          "dnnl_reorder", dnnl_reorder_primitive_desc_create, is_result ? packed : plain.get(), engine,
          is_result ? plain.get() : packed, engine, nullptr);
      operand.reorder = make<Primitive>("dnnl_primitive_create", dnnl_primitive_create, reorder.get());
      operand.offset = reserve(packed);
    }
    operands_.push_back(std::move(operand));
  }

  std::vector<Operand> operands_;
  Primitive primitive_;
  Memory scratchpad_;
  size_t scratchpad_offset_ = 0, size_ = 0;
};

// Sets the number of threads that primitives are made for. It is a setting of each thread of MindSpore, whose own
// primitives depend on it too, and is therefore put back.
class Concurrency {
 public:
  explicit Concurrency(int threads) {
    check(dnnl_threadpool_interop_get_max_concurrency(&before_), "get_max_concurrency");
    check(dnnl_threadpool_interop_set_max_concurrency(threads), "set_max_concurrency");
  }
  ~Concurrency() { dnnl_threadpool_interop_set_max_concurrency(before_); }

 private:
  int before_ = 0;
};

// Returns the convolution for these shapes, made on the first call.
Convolution &find(Kind kind, const Dims &x, const Dims &w, const Dims &y, const Geometry &geometry) {
  static auto *made = new std::map<Dims, std::unique_ptr<Convolution>>;
  Dims key = {kind};
  for (const Dims *dims : {&x, &w, &y}) key.insert(key.end(), dims->begin(), dims->end());
  const auto *values = reinterpret_cast<const int64_t *>(&geometry);
  key.insert(key.end(), values, values + sizeof(geometry) / sizeof(int64_t));
  const auto found = made->find(key);
  if (found != made->end()) return *found->second;
  if (made->size() >= 2048) made->clear();  // whole images of many sizes are predicted
  const Concurrency concurrency(context().threads);
  auto convolution = std::make_unique<Convolution>(kind, x, w, y, geometry);
  return *((*made)[key] = std::move(convolution));
}

// Runs the operator with these tensors: two inputs, perhaps one more that only tells the shape of the result, the
// geometry and the result. Returns 0, or 1 after an error, which MindSpore then raises.
int run(Kind kind, int count, void **tensors, int *ndims, int64_t **shapes) {
  try {
    const std::lock_guard<std::mutex> guard(context().mutex);
    const int result = count - 1;
    const auto dims = [&](int index) { return Dims(shapes[index], shapes[index] + ndims[index]); };
    Geometry geometry;
    std::memcpy(&geometry, tensors[count - 2], sizeof(geometry));
    const int x = kind == kBackwardInput ? result : 0;
    const int w = kind == kBackwardWeights ? result : 1;
    const int y = kind == kForward ? result : kind == kBackwardInput ? 0 : 1;
    void *const operands[3] = {tensors[0], tensors[1], tensors[result]};
    find(kind, dims(x), dims(w), dims(y), geometry).run(operands);
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "terraspore: convolution: %s\n", error.what());
    return 1;
  }
}

}  // namespace

// ---- Interface ----------------------------------------------------------------------------------------------------

extern "C" {
// Sets the number of threads, and lets oneDNN use all instructions of the processor if `all_instructions` and nothing
// was computed in this process before. Returns 0 where oneDNN is not the version this file was written for, else 1, or
// 2 where the processor and the limits in force also allow bfloat16.
int terraspore_start(int threads, int all_instructions) {
  const dnnl_version_t *version = dnnl_version();
  if (version->major != 3 || version->minor > 10 || version->cpu_runtime != kThreadpoolRuntime) return 0;
  Context &shared = context();
  const std::lock_guard<std::mutex> guard(shared.mutex);
  if (all_instructions) dnnl_set_max_cpu_isa(kAllIsa);
  if (shared.threads == 0) {
    shared.threads = threads;
    if (dnnl_engine_create(&shared.engine, kCpu, 0) != 0 ||
        dnnl_threadpool_interop_stream_create(&shared.stream, shared.engine, new Pool(threads)) != 0) {
      return 0;
    }
  }
  return (dnnl_get_effective_cpu_isa() & kBfloat16Isa) == kBfloat16Isa ? 2 : 1;
}

// Operators in MindSpore's form. Inputs: (x, weights, geometry); (gradient of y, weights, x, geometry), where x may be
// left out; (x, gradient of y, weights, geometry).
#define OPERATOR(name, kind)                                                                                  \
  int name(int count, void **tensors, int *ndims, int64_t **shapes, const char **, void *, void *) { \
    return run(kind, count, tensors, ndims, shapes);                                                          \
  }
OPERATOR(convolve, kForward)
OPERATOR(convolve_backward_input, kBackwardInput)
OPERATOR(convolve_backward_weights, kBackwardWeights)
}
