"""The trainable part of every encoder, and its size."""

from __future__ import annotations

from torch import nn


def projection(feature_dim: int, hidden_dim: int, output_dim: int) -> nn.Module:
    """One hidden layer with GELU, or a linear map where `hidden_dim` is 0."""
    if not hidden_dim:
        return nn.Linear(feature_dim, output_dim)
    return nn.Sequential(nn.Linear(feature_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, output_dim))


def projection_parameters(feature_dim: int, hidden_dim: int, output_dim: int) -> int:
    """How many parameters `projection` has."""
    if not hidden_dim:
        return (feature_dim + 1) * output_dim
    return (feature_dim + 1) * hidden_dim + (hidden_dim + 1) * output_dim


def hidden_dim_for(parameters: int, feature_dim: int, output_dim: int) -> int:
    """The hidden width whose projection has `parameters`, rounded to the nearest; at least 1."""
    return max(1, round((parameters - output_dim) / (feature_dim + 1 + output_dim)))


def trainable_parameters(module: nn.Module) -> int:
    """Parameters that training changes."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
