"""The cores and the accelerators of a machine."""

from terraspore.engine.runtimes import hardware as module


def test_accelerators_are_found_by_their_device_files(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_list_with_nvidia_smi", lambda: "")
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "davinci3", "davinci_manager", "null"):
        (tmp_path / name).touch()
    found = [(entry.device, entry.title) for entry in module.find_accelerators(tmp_path)]
    assert found == [("cuda", "NVIDIA GPU nvidia0"), ("cuda", "NVIDIA GPU nvidia1"), ("ascend", "Ascend davinci3")]


def test_the_names_of_gpus_are_read(tmp_path, monkeypatch):
    listing = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA A2 (UUID: GPU-2)\n"
    monkeypatch.setattr(module, "_list_with_nvidia_smi", lambda: listing)
    assert [entry.title for entry in module.find_accelerators(tmp_path)] == ["NVIDIA H200", "NVIDIA A2"]
