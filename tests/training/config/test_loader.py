"""Configurations: strict keys and types, inheritance, overrides."""

from pathlib import Path

import pytest
from terraspore.engine.errors import ParameterError
from terraspore.training.config import from_mapping, load_config, to_mapping
from terraspore.training.config.loader import PACKAGED

#: Nine levels of ten references each: 1.6 GB if a sentence shows the last one.
ANCHORS = "x0: &x0 [1]\n" + "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 9))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_base_is_inherited_key_by_key(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "name: a\noptimizer: {lr: 0.5, name: sgd}\naugment: {scale: [0.5, 2]}\n")
    path = write(tmp_path, "b.yaml", "base: a.yaml\nname: b\noptimizer: {lr: 6e-4}\n")
    config = load_config(path, ["train.batch=7", "network.num_classes=2", "data.classes=[x, y]"])
    assert (config.name, config.optimizer.name, config.optimizer.lr) == ("b", "sgd", 6e-4)
    assert config.augment.scale == (0.5, 2.0)
    assert (config.train.batch, config.data.classes) == (7, ("x", "y"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer: {learning_rat: 1}", "optimizer.learning_rat"),
        ("optimiser: {lr: 1}", "Did you mean 'optimizer'"),
        ("optimizer: {lr: fast}", "must be a number"),
        ("train: {batch: 2.5}", "whole number"),
        ("train: {batch: true}", "whole number"),
        ("train: {distributed: 1}", "true or false"),
        ("optimizer: {name: lion}", "adam, adamw, sgd, rmsprop"),
        ("augment: {scale: [1]}", "has 1 entries instead of 2"),
        ("optimizer: 3", "table of keys"),
        ("[1, 2]", "not a table"),
        ("train: {batch: 0}", "1 or more"),
        ("network: {num_classes: 2}", "network.num_classes"),
        ("augment: {scale: [2, 1]}", "range"),
        ("augment: {mix_chance: 50}", "a number from 0 to 1"),
        ("augment: {hflip: -0.5}", "a number from 0 to 1"),
        ("optimizer: {ema: 1.0}", "below 1"),
        ("augment: {mix: [0.6, 0.5]}", "from 0 to 1"),
        ("augment: {histogram: [0.1, 1.5]}", "from 0 to 1"),
        ("augment: {exchange: [0.1, 0.5]}", "below 0.5"),
        ("optimizer: {rate_factors: {encoder.: 0}}", "factors above 0"),
        ("optimizer: {rate_factors: {encoder.: slow}}", "optimizer.rate_factors.encoder."),
        ("normalisation: {mean: [0.5]}", "as many numbers"),
        ("a: [", "not YAML"),
        ("[" * 20_000, "30 levels"),
        ("a:\n" + "".join("  " * n + f"  k{n}:\n" for n in range(200)), "30 levels"),
        (f"seed: {'9' * 5000}", "4,000 characters"),
        (f"seed: {'9' * 3000}", "a number of many digits"),
        ("seed: 0x" + "f" * 3900, "a number of many digits"),
        (f"optimizer: {{lr: {'9' * 3000}}}", "must be a number"),
        ("optimizer: {lr: .inf}", "a finite number"),
        ("optimizer: {lr: .nan}", "a finite number"),
        (ANCHORS + "optimizer: {lr: *x8}", "20,000 values"),
        ("a: &a [*a]", "20,000 values"),
        ("a: !!python/object:os.system x", "tag"),
        ("seed: !!int ''", "tag"),
        ("when: 2001-99-99", "month"),
        ("? [1, 2]\n: 3", "cannot be read"),
        ("data: {sources: [{weight: 2}]}", "data.sources[0].root"),
        ("data: {sources: [{root: a, weight: 1}, {root: b, weight: 2e-4}]}", "data.sources[1].weight"),
        ("data: {sources: [{root: a, resolution: -1}]}", "data.sources[0].resolution"),
        ("base: nothing_like_this", "no configuration"),
    ],
)
def test_invalid_values_are_errors(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        load_config(write(tmp_path, "c.yaml", text))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1500


def test_decoder_and_encoder_name_the_network(tmp_path: Path) -> None:
    base = write(tmp_path, "a.yaml", "network: {decoder: dlinknet, encoder: efficientnet_lite2, num_classes: 1}\n")
    child = write(tmp_path, "b.yaml", "base: a.yaml\nnetwork: {encoder: resnet34}\n")
    assert load_config(base).network.name == "dlinknet_efficientnet_lite2"
    assert load_config(child).network.name == "dlinknet34"
    changed = load_config(base, ["network.decoder=deeplabv3", "network.encoder=efficientnet_lite0"])
    assert (changed.network.name, changed.network.num_classes) == ("deeplabv3_efficientnet_lite0", 1)
    assert load_config(base, ["network.name=linknet"]).network.name == "linknet"
    with pytest.raises(ParameterError, match="decoder named 'unet'"):
        load_config(base, ["network.decoder=unet"])
    with pytest.raises(ParameterError, match="decoder named 'None'"):
        load_config(base, ["network.name=lednet", "network.encoder=resnet34"])


def test_later_bases_override_earlier_ones(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "name: a\ntitle: a\ntrain: {batch: 1, epochs: 9}\n")
    write(tmp_path, "b.yaml", "name: b\ntrain: {batch: 2}\n")
    config = load_config(write(tmp_path, "c.yaml", "base: [a.yaml, b.yaml]\n"))
    assert (config.name, config.title, config.train.batch, config.train.epochs) == ("b", "a", 2, 9)


def test_circular_inheritance_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "base: b.yaml\n")
    with pytest.raises(ParameterError, match="inherits from itself"):
        load_config(write(tmp_path, "b.yaml", "base: a.yaml\n"))


def test_invalid_overrides_are_errors(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "name: a\n")
    with pytest.raises(ParameterError, match="key=value"):
        load_config(path, ["train.batch"])
    with pytest.raises(ParameterError, match="Did you mean 'batch'"):
        load_config(path, ["train.bach=3"])


def test_from_mapping_is_the_inverse_of_to_mapping() -> None:
    sources = "data.sources=[{root: a, resolution: images.csv, label_map: {255: 1}}, {root: b, resolution: 2}]"
    config = load_config("dlinknet34_massachusetts", [sources])
    assert [source.resolution for source in config.data.sources] == ["images.csv", 2.0]
    assert from_mapping(to_mapping(config)) == config


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_configuration_can_be_read(path: Path) -> None:
    from terraspore.training.networks.registry import network_entry

    config = load_config(path)
    assert network_entry(config.network.name)
    assert not config.data.classes or len(config.data.classes) == config.network.num_classes
    assert not config.data.colours or len(config.data.colours) == config.network.num_classes
