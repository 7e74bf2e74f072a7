"""Linear attention (LINA, arXiv 2601.22630): division form, depthwise convolution, gates on keys and values."""

import torch
from torch import nn


class LinearAttention(nn.Module):
    epsilon = 1e-6

    def __init__(self, width, heads, side):
        super().__init__()
        self.heads, self.side = heads, side
        self.qkv = nn.Linear(width, 3 * width)
        self.dw_conv = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.key_scale = nn.Parameter(torch.ones(1, heads, side * side, 1))
        self.value_scale = nn.Parameter(torch.ones(1, heads, side * side, 1))
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = q.relu() + self.epsilon, k.relu() + self.epsilon
        k, v = k * self.key_scale, v * self.value_scale
        normalizer = length * ((q * k.mean(dim=2, keepdim=True)).sum(-1, keepdim=True) + self.epsilon)
        y = (q @ (k.transpose(2, 3) @ v)) / normalizer
        # The same bytes as a channels-last image.
        image = x.reshape(n, self.side, self.side, width).permute(0, 3, 1, 2)
        near = self.dw_conv(image).permute(0, 2, 3, 1).reshape(n, length, width)
        return self.proj(y.transpose(1, 2).reshape(n, length, width) + near)
