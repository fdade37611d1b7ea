"""Losses on logits, and the class weights they use."""

from .segmentation import Loss, bce_dice, cross_entropy, enet_weights, focal, make_loss, ohem_cross_entropy

__all__ = ["Loss", "bce_dice", "cross_entropy", "enet_weights", "focal", "make_loss", "ohem_cross_entropy"]
