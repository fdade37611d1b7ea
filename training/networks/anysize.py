"""Images of any size through networks that want multiples."""

from __future__ import annotations

from mindspore import Tensor, nn, ops


class AnySize(nn.Cell):
    """Pads images at the bottom and right by mirroring, runs a network, and crops the logits.

    The parameters keep the network's own names.

    Args:
        network: images (N, C, H, W) to logits (N, K, H, W).
        multiple: what H and W of the network's input have to be multiples of.
    """

    def __init__(self, network: nn.Cell, multiple: int) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.multiple = multiple

    def construct(self, image: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W) of any H and W."""
        height, width = image.shape[2], image.shape[3]
        bottom, right = -height % self.multiple, -width % self.multiple
        if bottom or right:
            # An image smaller than the padding cannot be mirrored in one piece: its border is repeated instead.
            mode = "reflect" if bottom < height and right < width else "replicate"
            image = ops.pad(image, (0, right, 0, bottom), mode=mode)
        return self.network(image)[:, :, :height, :width]
