"""Inference libraries behind one interface.

``base`` has the interface, one module for each library an adapter of it (``openvino``, ``onnxruntime``, ``mindspore``,
``mindspore_lite``), ``registry`` the list of all and the choice between them, ``pool`` the sessions that are open.
``probe`` and ``measure`` try devices, batch sizes and precisions, ``cache`` keeps compiled models and measurements,
``worker`` runs a model in another process. To add a runtime, copy an adapter and add a line to ``registry.RUNTIMES``.
"""
