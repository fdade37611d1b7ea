"""All keys of a training configuration with their defaults, one dataclass per section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...engine.strict import limited
from .data_schema import AugmentConfig, DataConfig, NormalisationConfig


@dataclass(frozen=True)
class NetworkConfig:
    """The network.

    Attributes:
        name: a name of ``training.networks.create_network``. In a file or an override, ``decoder`` and ``encoder`` may
            stand in its place, or one of them to change that of a base.
        num_classes: output channels; 1 means a foreground mask with a sigmoid (roads).
        options: of the network, see ``training.networks.NetworkOptions``.
        drop_path: (EfficientNet-Lite encoders) chance that training leaves the branch of a residual block out for a
            sample, 0 to 0.9 (stochastic depth). It rises linearly, block by block, from 0 at the first block to this
            value at the last one, which has no shortcut and is never left out.
        decoder_dropout: (decoders ``dlinknet`` and ``linknet``, which LinkNet as published, a whole network, does not
            have) chance that training drops a channel in front of the head, 0 to 0.9.
    """

    name: str = "dlinknet34"
    num_classes: int = limited(1, default=1)
    options: Mapping[str, str | float | int | bool] = field(default_factory=dict)
    drop_path: float = limited(0, 0.9, default=0.0)
    decoder_dropout: float = limited(0, 0.9, default=0.0)


@dataclass(frozen=True)
class InitConfig:
    """Initial weights.

    Attributes:
        checkpoint: a ``.ckpt`` of the whole network, the folder of a run, or the name or folder of a model; entries
            that are no parameter of the network (optimizer state of a training file) are ignored, missing ones are an
            error unless ``partial``.
        encoder: a ``.ckpt`` of the encoder only, names as in the network.
        partial: whether parameters may be missing from the checkpoint, or have another shape (another number of
            classes).
        freeze: prefixes of parameter names that are not trained; batch norms among them keep their statistics.
        freeze_norm: whether all batch norms compute with the statistics of ``checkpoint`` and keep them, because those
            of few images are poor. Their scales and shifts are trained. Without ``checkpoint`` it has no effect.
    """

    checkpoint: str = ""
    encoder: str = ""
    partial: bool = False
    freeze: tuple[str, ...] = ()
    freeze_norm: bool = False


@dataclass(frozen=True)
class LossConfig:
    """The loss.

    Attributes:
        name: ``bce_dice`` for one class; the others for many.
        dice_smooth: added to numerator and denominator of the Dice coefficient.
        weights: how classes are weighted in the cross-entropy: not at all, by ENet's rule from the class histogram,
            or ``given``.
        enet_c: the constant c of ENet's weight 1 / ln(c + p).
        share: what p is: the class's share of all pixels, or of the most frequent class (LinkNet).
        class_weights: the weights where they are ``given``.
        ohem_threshold: true-class probability above which a pixel may be left out.
        ohem_keep: least number of pixels of a batch that are kept.
        focal_gamma: exponent of the focal loss.
        focal_alpha: factor of the focal loss.
        auxiliary: weight of each further output of the network.
        teacher: checkpoint of a trained network of the same classes, in a run's or a model's folder, or the name of a
            model, whose probabilities are learned too. Training images may then have no label (layout ``lists``).
        teacher_share: share of that loss, 0 to 1; the rest is the loss of the labels.
    """

    name: Literal["bce_dice", "ce", "ohem", "focal"] = "bce_dice"
    dice_smooth: float = 1.0
    weights: Literal["none", "enet", "given"] = "none"
    enet_c: float = 1.02
    share: Literal["total", "largest"] = "total"
    class_weights: tuple[float, ...] = ()
    ohem_threshold: float = 0.7
    ohem_keep: int = 100_000
    focal_gamma: float = 2.0
    focal_alpha: float = 1.0
    auxiliary: float = 0.4
    teacher: str = ""
    teacher_share: float = limited(0, 1, above=True, default=0.5)


@dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer.

    Attributes:
        name: the rule.
        lr: the peak learning rate of the schedule.
        rate_factors: prefix of parameter names -> factor of their learning rate, also of the decoupled decay; the
            longest prefix of a name counts. ``{encoder.: 0.1}`` trains the encoder at a tenth of the rate.
        momentum: of SGD and RMSprop.
        nesterov: Nesterov's momentum in SGD.
        beta1: decay of Adam's first moment.
        beta2: decay of Adam's second moment, or of RMSprop's mean square.
        eps: added to the denominator for stability.
        weight_decay: decoupled from the gradient in AdamW; added to the gradient (L2) in all others.
        decay_filter: which parameters decay: all, or all but biases and batch-norm's.
        decay_to_init: whether they decay towards their initial values instead of zero (L2-SP): for further training of
            a trained network.
        clip: highest global norm of the gradient; 0 for none.
        accumulate: batches whose gradients are averaged into one step.
        ema: decay of the running mean of the weights, which is then evaluated and saved; 0 for none.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: float = limited(0, above=True, default=2e-4)
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    momentum: float = 0.9
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decay_filter: Literal["all", "norm_and_bias"] = "all"
    decay_to_init: bool = False
    clip: float = 0.0
    accumulate: int = limited(1, default=1)
    ema: float = 0.0


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning-rate schedule, in optimizer steps.

    Attributes:
        name: the schedule.
        warmup: steps of linear increase from zero.
        floor: the lowest rate, as a factor of ``lr`` (cosine, poly) or absolute rate (plateau).
        power: exponent of ``poly``.
        every: steps between the drops of the schedule ``step``.
        factor: factor of a drop (``step``, ``plateau``).
        patience: validations without a better score before a plateau drops the rate.
        stop: validations without a better score before training ends; 0 for never.
        restore: whether a drop on a plateau restores the best weights and their optimizer state.
    """

    name: Literal["constant", "cosine", "poly", "step", "plateau"] = "constant"
    warmup: int = 0
    floor: float = 0.0
    power: float = 0.9
    every: int = 0
    factor: float = 0.2
    patience: int = 3
    stop: int = 0
    restore: bool = True


@dataclass(frozen=True)
class TrainConfig:
    """Length, validation, saving, precision and device of a run.

    Attributes:
        steps: optimizer steps; 0 to count ``epochs`` instead.
        epochs: passes over the training images.
        batch: samples per batch and process.
        evaluate_every: steps between validations; 0 for once per epoch.
        save_every: steps between saved states, besides those at each validation.
        keep_best: further metrics whose best weights are kept: ``best_<metric>.ckpt``.
        archive: number of validations whose weights are kept in the folder ``archive``; 0 for none, -1 for all.
        log_every: steps between lines of the log.
        monitor: metric that decides which weights are best, a column of ``checks.csv``.
        amp: mixed precision as in ``mindspore.amp``.
        loss_scale: ``none``, ``fixed`` or ``dynamic``.
        init_scale: first (or fixed) loss scale.
        scale_factor: what a dynamic loss scale is multiplied or divided by.
        scale_window: steps without overflow after which a dynamic loss scale grows.
        device: MindSpore's device target.
        device_id: number of the device on this machine.
        mode: PyNative or graph mode of MindSpore; steps and predictions are compiled in both.
        compile: whether steps and predictions are compiled; without, a step is slower, but the first one starts at
            once, and errors in a network have a useful stack trace. PyNative only.
        convolution: what computes convolutions on a CPU: ``mindspore``; ``onednn``, a faster operator that is compiled
            on its first use; ``onednn_bfloat16``, which also rounds their inputs to bfloat16; ``auto`` is ``onednn``
            on Linux with a C++ compiler, else ``mindspore``.
        threads: CPU threads of MindSpore; 0 for its own choice.
        distributed: whether this process is one of several (started by ``msrun`` or ``mpirun``, or with a rank table).
    """

    steps: int = 0
    epochs: int = 1
    batch: int = limited(1, default=4)
    evaluate_every: int = 0
    save_every: int = limited(1, default=200)
    keep_best: tuple[str, ...] = ()
    archive: int = 0
    log_every: int = limited(1, default=10)
    monitor: str = "foreground_iou"
    amp: Literal["O0", "O1", "O2", "O3"] = "O0"
    loss_scale: Literal["none", "fixed", "dynamic"] = "none"
    init_scale: float = 1024.0
    scale_factor: float = 2.0
    scale_window: int = 1000
    device: Literal["CPU", "Ascend", "GPU"] = "CPU"
    device_id: int = 0
    mode: Literal["pynative", "graph"] = "pynative"
    compile: bool = True
    convolution: Literal["auto", "mindspore", "onednn", "onednn_bfloat16"] = "auto"
    threads: int = 0
    distributed: bool = False


@dataclass(frozen=True)
class EvaluationConfig:
    """Prediction and evaluation of whole images.

    Attributes:
        method: the image as a whole (padded to ``multiple``), or in overlapping windows.
        window: side of the windows, pixels.
        overlap: share of a window that its neighbour covers too.
        multiple: what height and width are padded to a multiple of, by reflection.
        scales: magnifications whose probabilities are averaged.
        flip: whether the horizontally flipped image is averaged in.
        tta8: whether the eight flips and quarter turns are averaged (D-LinkNet).
        threshold: probability from which on a pixel is foreground (one class).
        relaxed: buffer of the relaxed precision and recall, pixels (one class).
        line_buffer: largest distance of matching skeletons for the line F1, metres; pixels where ``resolution`` is not
            known; 0 for none (one class).
        limit: at most so many images; 0 for all.
    """

    method: Literal["whole", "sliding"] = "whole"
    window: int = limited(1, default=512)
    overlap: float = 1.0 / 3.0
    multiple: int = limited(1, default=32)
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tta8: bool = False
    threshold: float = 0.5
    relaxed: int = 3
    line_buffer: float = limited(0, default=5.0)
    limit: int = 0


@dataclass(frozen=True)
class Config:
    """One training run.

    Attributes:
        name: of the run, in its folder and log.
        title: one line for the model card.
        seed: of all random numbers.
        resolution: ground resolution at which the network sees images, metres per pixel; 0 if it is not known. It goes
            into the model card, and ``data.sources`` are resampled to it.
        licence: licence of the data, for the model card.
        source: origin of the data, for the model card.
        network: the network.
        init: initial weights.
        data: images and labels.
        normalisation: of pixel values.
        augment: random crops and changes of training images.
        loss: the loss.
        optimizer: the optimizer.
        schedule: of the learning rate.
        train: length, validation, saving, precision and device.
        evaluation: prediction and evaluation of whole images.
    """

    name: str = "run"
    title: str = ""
    seed: int = 2022
    resolution: float = 0.0
    licence: str = ""
    source: str = ""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    init: InitConfig = field(default_factory=InitConfig)
    data: DataConfig = field(default_factory=DataConfig)
    normalisation: NormalisationConfig = field(default_factory=NormalisationConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
