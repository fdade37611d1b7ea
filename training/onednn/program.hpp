// What an operator computes for tensors of certain shapes.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "dnnl.hpp"

namespace {

using Dims = std::vector<int64_t>;

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

// Kernel, stride, dilation and first padding (rows, columns), groups, whether to compute in bfloat16, whether there is a
// bias: an input of each operator, the only one of int64. A padding of -1 stands for TensorFlow's "same". The last
// padding follows from the shapes.
struct Geometry {
  int64_t kernel[2], stride[2], dilation[2], padding[2], groups, bfloat16, bias;
};

// What an operator computes for tensors of certain shapes: primitives, and the reorders between their layouts and the
// plain ones. A tensor that two primitives take in the same layout is reordered once.
class Program {
 public:
  // `shapes` are those of the operator's inputs and results, by which the tensors are numbered below.
  Program(const std::vector<Dims> &shapes, const Geometry &geometry) : geometry_(geometry) {
    for (const Dims &shape : shapes) tensors_.push_back({shape, nullptr, {}});
  }

  // The following add a part of a convolution of x with weights w, and perhaps a bias, to y. Negative: no bias.
  void convolve(int x, int w, int bias, int y) {
    PrimitiveDesc desc = forward(x, w, bias, y, kFloat32);
    std::vector<dnnl_exec_arg_t> arguments = {{kSrc, pack(x, query(desc, kSrcDesc))},
                                              {kWeights, pack(w, query(desc, kWeightsDesc))}};
    if (bias >= 0) arguments.push_back({kBias, plain(bias)});
    add(std::move(desc), arguments, {kDst, kDstDesc, y});
  }

  void differentiate_input(int y, int w, int x) {
    const PrimitiveDesc hint = forward(x, w, -1, y, type());
    const Desc dx = any(x, kFloat32), weights = any(w, type()), dy = any(y, type());
    const Window window = window_of(x, y);
    const Attr attr = attributes();
    PrimitiveDesc desc = make<PrimitiveDesc>(
        "dnnl_convolution_backward_data", dnnl_convolution_backward_data_primitive_desc_create, context().engine,
        kDirect, dx.get(), weights.get(), dy.get(), window.stride, window.dilation, window.first, window.last,
        hint.get(), attr.get());
    const std::vector<dnnl_exec_arg_t> arguments = {{kDiffDst, pack(y, query(desc, kDiffDstDesc))},
                                                    {kWeights, pack(w, query(desc, kWeightsDesc))}};
    add(std::move(desc), arguments, {kDiffSrc, kDiffSrcDesc, x});
  }

  void differentiate_weights(int x, int y, int w, int bias) {
    const PrimitiveDesc hint = forward(x, w, bias, y, type());
    const Desc src = any(x, type()), dw = any(w, kFloat32), dy = any(y, type());
    const Desc db = bias < 0 ? nullptr : plain_desc(bias);
    const Window window = window_of(x, y);
    const Attr attr = attributes();
    PrimitiveDesc desc = make<PrimitiveDesc>(
        "dnnl_convolution_backward_weights", dnnl_convolution_backward_weights_primitive_desc_create, context().engine,
        kDirect, src.get(), dw.get(), db.get(), dy.get(), window.stride, window.dilation, window.first, window.last,
        hint.get(), attr.get());
    std::vector<dnnl_exec_arg_t> arguments = {{kSrc, pack(x, query(desc, kSrcDesc))},
                                              {kDiffDst, pack(y, query(desc, kDiffDstDesc))}};
    if (bias >= 0) arguments.push_back({kDiffBias, plain(bias)});
    add(std::move(desc), arguments, {kDiffWeights, kDiffWeightsDesc, w});
  }

  // Adds a maximum pooling of x to y.
  void pool(int x, int y) {
    PrimitiveDesc desc = pooling(x, y, kForwardInference);
    add(std::move(desc), {{kSrc, plain(x)}}, {kDst, kDstDesc, y});
  }

  // Adds the gradient dx of a maximum pooling of x. The positions of the maxima are found again, because MindSpore
  // would keep them as long as x.
  void differentiate_pooling(int y, int x, int dx) {
    PrimitiveDesc forward = pooling(x, y, kForwardTraining);
    dnnl_memory *workspace = reserve(query(forward, kWorkspaceDesc));
    dnnl_memory *maxima = reserve(query(forward, kDstDesc));
    const Desc to = plain_desc(dx), from = plain_desc(y);
    const Window window = window_of(x, y);
    const Attr attr = attributes();
    PrimitiveDesc desc = make<PrimitiveDesc>(
        "dnnl_pooling_backward", dnnl_pooling_backward_primitive_desc_create, context().engine, kMax, to.get(),
        from.get(), window.stride, window.kernel, window.dilation, window.first, window.last, forward.get(),
        attr.get());
    execute(std::move(forward), {{kSrc, plain(x)}, {kDst, maxima}, {kWorkspace, workspace}});
    add(std::move(desc), {{kDiffDst, plain(y)}, {kWorkspace, workspace}}, {kDiffSrc, kDiffSrcDesc, dx});
  }

  // `data` are the operator's inputs and results.
  void run(void *const *data) {
    Context &shared = context();
    if (size_ > shared.buffer_size) {
      std::free(shared.buffer);
      shared.buffer_size = 0;
      shared.buffer = static_cast<char *>(std::aligned_alloc(kAlignment, size_));
      if (shared.buffer == nullptr) throw std::bad_alloc();
      shared.buffer_size = size_;
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].plain) dnnl_memory_set_data_handle(tensors_[i].plain.get(), data[i]);
    }
    for (const Packed &packed : buffers_) {
      dnnl_memory_set_data_handle(packed.memory.get(), shared.buffer + packed.offset);
    }
    for (const Step &step : steps_) {
      check(dnnl_primitive_execute(step.primitive.get(), shared.stream, static_cast<int>(step.arguments.size()),
                                   step.arguments.data()),
            "dnnl_primitive_execute");
    }
    check(dnnl_stream_wait(shared.stream), "dnnl_stream_wait");
  }

 private:
  static constexpr size_t kAlignment = 64;

  struct Packed {  // a tensor or a scratchpad in the buffer
    Memory memory;
    size_t offset;
  };
  struct Tensor {
    Dims shape;
    Memory plain;
    std::vector<std::pair<const dnnl_memory_desc *, dnnl_memory *>> packed;
  };
  struct Step {
    Primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  struct Result {
    int argument, query, tensor;
  };
  struct Window {
    dnnl_dims_t kernel, stride, dilation, first, last;
  };

  int type() const { return geometry_.bfloat16 ? kBfloat16 : kFloat32; }

  Window window_of(int x, int y) const {
    Window window;
    const Dims &wide = tensors_[x].shape, &narrow = tensors_[y].shape;
    for (int i = 0; i < 2; ++i) {
      const int64_t reach = (geometry_.kernel[i] - 1) * geometry_.dilation[i] + 1;
      const int64_t total = (narrow[2 + i] - 1) * geometry_.stride[i] + reach - wide[2 + i];
      window.kernel[i] = geometry_.kernel[i];
      window.stride[i] = geometry_.stride[i];
      window.dilation[i] = geometry_.dilation[i] - 1;
      window.first[i] = geometry_.padding[i] >= 0 ? geometry_.padding[i] : std::max<int64_t>(total, 0) / 2;
      window.last[i] = std::max<int64_t>(total - window.first[i], 0);
    }
    return window;
  }

  static Attr attributes() {
    Attr attr = make<Attr>("dnnl_primitive_attr_create", dnnl_primitive_attr_create);
    check(dnnl_primitive_attr_set_scratchpad_mode(attr.get(), kScratchpadOfUser), "set_scratchpad_mode");
    return attr;
  }

  // Results are float32, so that sums are not rounded.
  PrimitiveDesc forward(int x, int w, int bias, int y, int y_type) const {
    const Desc src = any(x, type()), weights = any(w, type()), dst = any(y, y_type);
    const Desc added = bias < 0 ? nullptr : plain_desc(bias);
    const Window window = window_of(x, y);
    const Attr attr = attributes();
    return make<PrimitiveDesc>("dnnl_convolution_forward", dnnl_convolution_forward_primitive_desc_create,
                               context().engine, kForwardTraining, kDirect, src.get(), weights.get(), added.get(),
                               dst.get(), window.stride, window.dilation, window.first, window.last, attr.get());
  }

  PrimitiveDesc pooling(int x, int y, int prop_kind) const {
    const Desc src = plain_desc(x), dst = plain_desc(y);
    const Window window = window_of(x, y);
    const Attr attr = attributes();
    return make<PrimitiveDesc>("dnnl_pooling_forward", dnnl_pooling_forward_primitive_desc_create, context().engine,
                               prop_kind, kMax, src.get(), dst.get(), window.stride, window.kernel, window.dilation,
                               window.first, window.last, attr.get());
  }

  Desc any(int tensor, int type) const {
    const Dims &shape = tensors_[tensor].shape;
    return make<Desc>("dnnl_memory_desc_create", dnnl_memory_desc_create_with_tag, static_cast<int>(shape.size()),
                      shape.data(), type, kAnyTag);
  }

  Desc plain_desc(int tensor) const {
    const Dims &shape = tensors_[tensor].shape;
    Dims strides(shape.size(), 1);
    for (size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
    return make<Desc>("dnnl_memory_desc_create", dnnl_memory_desc_create_with_strides, static_cast<int>(shape.size()),
                      shape.data(), kFloat32, strides.data());
  }

  static const dnnl_memory_desc *query(const PrimitiveDesc &desc, int what) {
    return dnnl_primitive_desc_query_md(desc.get(), what, 0);
  }

  dnnl_memory *plain(int tensor) {
    Memory &memory = tensors_[tensor].plain;
    if (!memory) {
      const Desc desc = plain_desc(tensor);
      memory = make<Memory>("dnnl_memory_create", dnnl_memory_create, desc.get(), context().engine, nullptr);
    }
    return memory.get();
  }

  dnnl_memory *reserve(const dnnl_memory_desc *desc) {
    buffers_.push_back({make<Memory>("dnnl_memory_create", dnnl_memory_create, desc, context().engine, nullptr), size_});
    size_ += (dnnl_memory_desc_get_size(desc) / kAlignment + 1) * kAlignment;
    return buffers_.back().memory.get();
  }

  void reorder(const dnnl_memory_desc *from, dnnl_memory *source, const dnnl_memory_desc *to, dnnl_memory *target) {
    PrimitiveDesc desc = make<PrimitiveDesc>("dnnl_reorder", dnnl_reorder_primitive_desc_create, from,
                                                   context().engine, to, context().engine, nullptr);
    steps_.push_back({make<Primitive>("dnnl_primitive_create", dnnl_primitive_create, desc.get()),
                      {{kSrc, source}, {kDst, target}}});
  }

  // Returns an input in the layout `desc`, which must live as long as this object.
  dnnl_memory *pack(int tensor, const dnnl_memory_desc *desc) {
    const Desc unpacked = plain_desc(tensor);
    if (dnnl_memory_desc_equal(unpacked.get(), desc)) return plain(tensor);
    for (const auto &[layout, memory] : tensors_[tensor].packed) {
      if (dnnl_memory_desc_equal(layout, desc)) return memory;
    }
    dnnl_memory *memory = reserve(desc);
    reorder(unpacked.get(), plain(tensor), desc, memory);
    tensors_[tensor].packed.push_back({desc, memory});
    return memory;
  }

  // Adds a primitive with these inputs, and the reorder of its result.
  void add(PrimitiveDesc desc, std::vector<dnnl_exec_arg_t> arguments, const Result &result) {
    const dnnl_memory_desc *layout = query(desc, result.query);
    const Desc unpacked = plain_desc(result.tensor);
    const bool is_plain = dnnl_memory_desc_equal(unpacked.get(), layout);
    dnnl_memory *memory = is_plain ? plain(result.tensor) : reserve(layout);
    arguments.push_back({result.argument, memory});
    execute(std::move(desc), arguments);
    if (!is_plain) reorder(layout, memory, unpacked.get(), plain(result.tensor));
  }

  // Adds a primitive with these inputs and results.
  void execute(PrimitiveDesc desc, std::vector<dnnl_exec_arg_t> arguments) {
    arguments.push_back({kScratchpad, reserve(query(desc, kScratchpadDesc))});
    steps_.push_back({make<Primitive>("dnnl_primitive_create", dnnl_primitive_create, desc.get()), arguments});
    descs_.push_back(std::move(desc));
  }

  const Geometry geometry_;
  std::vector<Tensor> tensors_;
  std::vector<PrimitiveDesc> descs_;  // own the layouts
  std::vector<Packed> buffers_;
  std::vector<Step> steps_;
  size_t size_ = 0;
};

}  // namespace
