// What is used of oneDNN's C interface, declared here because MindSpore's package holds the library without its headers,
// and owners of its objects. The interface is the same in all versions 3.x; the class `threadpool_iface` is that of
// version 3.10, which also suits versions without `wait`.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

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
int dnnl_pooling_forward_primitive_desc_create(
    dnnl_primitive_desc **desc, dnnl_engine *engine, int prop_kind, int algorithm, const dnnl_memory_desc *src,
    const dnnl_memory_desc *dst, const dnnl_dims_t strides, const dnnl_dims_t kernel, const dnnl_dims_t dilation,
    const dnnl_dims_t padding_left, const dnnl_dims_t padding_right, const dnnl_primitive_attr *attr);
int dnnl_pooling_backward_primitive_desc_create(
    dnnl_primitive_desc **desc, dnnl_engine *engine, int algorithm, const dnnl_memory_desc *diff_src,
    const dnnl_memory_desc *diff_dst, const dnnl_dims_t strides, const dnnl_dims_t kernel, const dnnl_dims_t dilation,
    const dnnl_dims_t padding_left, const dnnl_dims_t padding_right, const dnnl_primitive_desc *forward,
    const dnnl_primitive_attr *attr);
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

enum Value { kOutOfMemory = 1, kCpu = 1, kThreadpoolRuntime = 8, kAllIsa = 0, kBfloat16Isa = 0xe7, kAnyTag = 1, kBfloat16 = 2,
             kFloat32 = 3, kForwardTraining = 64, kForwardInference = 96, kDirect = 1, kMax = 0x1ff, kScratchpadOfUser = 1 };
enum Query { kSrcDesc = 129, kDiffSrcDesc, kWeightsDesc, kDiffWeightsDesc, kDstDesc, kDiffDstDesc, kWorkspaceDesc,
             kScratchpadDesc };
enum Argument { kSrc = 1, kDst = 17, kWeights = 33, kBias = 41, kWorkspace = 64, kScratchpad = 80, kDiffSrc = 129, kDiffDst = 145,
                kDiffWeights = 161, kDiffBias = 169 };

template <typename T, int (*destroy)(T *)>
struct Destroy {
  void operator()(T *object) const { destroy(object); }
};
using Desc = std::unique_ptr<dnnl_memory_desc, Destroy<dnnl_memory_desc, dnnl_memory_desc_destroy>>;
using Memory = std::unique_ptr<dnnl_memory, Destroy<dnnl_memory, dnnl_memory_destroy>>;
using PrimitiveDesc = std::unique_ptr<dnnl_primitive_desc, Destroy<dnnl_primitive_desc, dnnl_primitive_desc_destroy>>;
using Primitive = std::unique_ptr<dnnl_primitive, Destroy<dnnl_primitive, dnnl_primitive_destroy>>;
using Attr = std::unique_ptr<dnnl_primitive_attr, Destroy<dnnl_primitive_attr, dnnl_primitive_attr_destroy>>;

void check(int status, const char *what) {
  if (status == kOutOfMemory) throw std::bad_alloc();
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

}  // namespace
