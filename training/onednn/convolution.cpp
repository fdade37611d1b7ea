// Convolutions and maximum pooling for MindSpore on a CPU, computed by the oneDNN library that MindSpore itself brings.
//
// MindSpore asks oneDNN for convolutions on plain (N, C, H, W) tensors, for which oneDNN 3.10 has no fast kernel with
// AVX-512. Here oneDNN chooses its own layouts (`format_tag::any`); tensors are reordered to and from them, as float32
// or as bfloat16 with float32 sums. `library.py` compiles this file, `cells.py` makes operators of its functions.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "dnnl.hpp"
#include "pool.hpp"
#include "program.hpp"

namespace {

// The operators. Each numbers its tensors in the order of inputs and results.
enum Kind {
  kForward,             // x, w, [bias,] geometry: y
  kBackward,            // dy, x, w, geometry: dx, dw [, gradient of the bias]
  kBackwardInput,       // dy, w, x, geometry: dx
  kBackwardWeights,     // dy, x, w, geometry: dw [, gradient of the bias]
  kTransposed,          // x, w, geometry: y
  kTransposedBackward,  // dy, x, w, geometry: dx, dw
  kPool,                // x, geometry: y
  kPoolBackward,        // dy, x, geometry: dx
};

std::unique_ptr<Program> make_program(Kind kind, std::vector<Dims> shapes, const Geometry &geometry) {
  const bool has_bias = geometry.bias != 0;
  const std::vector<int> weights = kind == kBackward || kind == kTransposedBackward ? std::vector<int>{2, 5}
                                   : kind == kBackwardWeights                       ? std::vector<int>{2, 4}
                                                                                    : std::vector<int>{1};
  for (int i : weights) {
    const Dims w = shapes[i];
    if (geometry.groups > 1) shapes[i] = {geometry.groups, w[0] / geometry.groups, w[1], w[2], w[3]};
  }
  auto program = std::make_unique<Program>(shapes, geometry);
  switch (kind) {
    case kForward:
      program->convolve(0, 1, has_bias ? 2 : -1, has_bias ? 4 : 3);
      break;
    case kBackward:
      program->differentiate_input(0, 2, 4);
      program->differentiate_weights(1, 0, 5, has_bias ? 6 : -1);
      break;
    case kBackwardInput:
      program->differentiate_input(0, 1, 4);
      break;
    case kBackwardWeights:
      program->differentiate_weights(1, 0, 4, has_bias ? 5 : -1);
      break;
    case kTransposed:
      program->differentiate_input(0, 1, 3);
      break;
    case kTransposedBackward:
      program->convolve(0, 2, -1, 4);
      program->differentiate_weights(0, 1, 5, -1);
      break;
    case kPool:
      program->pool(0, 2);
      break;
    case kPoolBackward:
      program->differentiate_pooling(0, 1, 3);
      break;
  }
  return program;
}

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

// Returns the program for these shapes, made on the first call.
Program &find(Kind kind, const std::vector<Dims> &shapes, const Geometry &geometry) {
  static auto *made = new std::map<Dims, std::unique_ptr<Program>>;
  Dims key = {kind};
  for (const Dims &dims : shapes) key.insert(key.end(), dims.begin(), dims.end());
  const auto *values = reinterpret_cast<const int64_t *>(&geometry);
  key.insert(key.end(), values, values + sizeof(geometry) / sizeof(int64_t));
  const auto found = made->find(key);
  if (found != made->end()) return *found->second;
  if (made->size() >= 2048) made->clear();  // whole images of many sizes are predicted
  const Concurrency concurrency(context().threads);
  auto program = make_program(kind, shapes, geometry);
  return *((*made)[key] = std::move(program));
}

// Runs an operator. Returns 0, ENOMEM if memory is lacking, or 1 after another error; MindSpore raises both.
int run(Kind kind, int count, void **tensors, int *ndims, int64_t **shapes, const char **types) {
  const std::lock_guard<std::mutex> guard(context().mutex);
  try {
    std::vector<Dims> dims;
    for (int i = 0; i < count; ++i) dims.emplace_back(shapes[i], shapes[i] + ndims[i]);
    int place = 0;
    while (std::strcmp(types[place], "int64") != 0) ++place;
    Geometry geometry;
    std::memcpy(&geometry, tensors[place], sizeof(geometry));
    find(kind, dims, geometry).run(tensors);
    return 0;
  } catch (const std::bad_alloc &) {
    return ENOMEM;
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

// Operators in MindSpore's form.
#define OPERATOR(name, kind)                                                                            \
  int name(int count, void **tensors, int *ndims, int64_t **shapes, const char **types, void *, void *) { \
    return run(kind, count, tensors, ndims, shapes, types);                                             \
  }
OPERATOR(convolve, kForward)
OPERATOR(convolve_backward, kBackward)
OPERATOR(convolve_backward_input, kBackwardInput)
OPERATOR(convolve_backward_weights, kBackwardWeights)
OPERATOR(convolve_transposed, kTransposed)
OPERATOR(convolve_transposed_backward, kTransposedBackward)
OPERATOR(pool_max, kPool)
OPERATOR(pool_max_backward, kPoolBackward)
}
