"""DiCo (arXiv 2505.11196), plain PyTorch under the published parameter names."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def layer_norm(x, shift, scale):
    """Over the channels of every pixel, then (1 + scale)·x + shift per sample."""
    y = F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), eps=1e-6).permute(0, 3, 1, 2)
    return y * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


class Block(nn.Module):
    def __init__(self, channels, mlp_ratio):
        super().__init__()
        hidden = int(mlp_ratio * channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 6 * channels))
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.ca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1), nn.Sigmoid())
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.conv4 = nn.Conv2d(channels, hidden, 1)
        self.conv5 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x, c):
        m = self.adaLN_modulation(c).chunk(6, dim=1)
        h = F.gelu(self.conv2(self.conv1(layer_norm(x, m[0], m[1]))))
        x = x + m[2][:, :, None, None] * self.conv3(h * self.ca(h))
        h = self.conv5(F.gelu(self.conv4(layer_norm(x, m[3], m[4]))))
        return x + m[5][:, :, None, None] * h


class Resample(nn.Module):
    def __init__(self, channels, outputs, shuffle):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, outputs, 3, padding=1, bias=False), shuffle)

    def forward(self, x):
        return self.body(x)


class TimestepEmbedder(nn.Module):
    def __init__(self, width, features=256):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))
        half = features // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, t):
        angles = t[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=1))


class LabelEmbedder(nn.Module):
    def __init__(self, count, widths):
        super().__init__()
        # One row more than there are classes: no class.
        for level, width in enumerate(widths):
            setattr(self, f"embedding_table_{level}", nn.Embedding(count + 1, width))

    def forward(self, labels, level):
        return getattr(self, f"embedding_table_{level}")(labels)


class FinalLayer(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 2 * channels))
        self.out_proj = nn.Conv2d(channels, outputs, 3, padding=1)

    def forward(self, x, c):
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)
        return self.out_proj(layer_norm(x, shift, scale))


class PatchStem(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, 3, padding=1)

    def forward(self, x):
        return self.proj(x)


class DiCo(nn.Module):
    def __init__(self, inputChannels, outputChannels, hiddenSize, depth, mlpRatio, classCount, patchSize):
        super().__init__()
        d, cell = hiddenSize, patchSize * patchSize
        self.patch = patchSize

        def blocks(stage, width):
            return nn.ModuleList(Block(width, mlpRatio) for _ in range(depth[stage]))

        self.x_embedder = PatchStem(inputChannels * cell, d)
        self.t_embedder_1 = TimestepEmbedder(d)
        self.t_embedder_2 = TimestepEmbedder(2 * d)
        self.t_embedder_3 = TimestepEmbedder(4 * d)
        self.y_embedder = LabelEmbedder(classCount, [d, 2 * d, 4 * d])
        self.encoder_level_1 = blocks(0, d)
        self.down1_2 = Resample(d, d // 2, nn.PixelUnshuffle(2))
        self.encoder_level_2 = blocks(1, 2 * d)
        self.down2_3 = Resample(2 * d, d, nn.PixelUnshuffle(2))
        self.latent = blocks(2, 4 * d)
        self.up3_2 = Resample(4 * d, 8 * d, nn.PixelShuffle(2))
        self.reduce_chan_level2 = nn.Conv2d(4 * d, 2 * d, 1)
        self.decoder_level_2 = blocks(3, 2 * d)
        self.up2_1 = Resample(2 * d, 4 * d, nn.PixelShuffle(2))
        self.reduce_chan_level1 = nn.Conv2d(2 * d, 2 * d, 1)
        self.decoder_level_1 = blocks(4, 2 * d)
        self.final_layer = FinalLayer(2 * d, outputChannels * cell)

    def forward(self, x, time, labels):
        embedders = (self.t_embedder_1, self.t_embedder_2, self.t_embedder_3)
        c = [embed(time) + self.y_embedder(labels, level) for level, embed in enumerate(embedders)]

        def run(blocks, h, level):
            for block in blocks:
                h = block(h, c[level])
            return h

        if self.patch > 1:
            x = F.pixel_unshuffle(x, self.patch)
        e1 = run(self.encoder_level_1, self.x_embedder(x), 0)
        e2 = run(self.encoder_level_2, self.down1_2(e1), 1)
        z = run(self.latent, self.down2_3(e2), 2)
        h = self.reduce_chan_level2(torch.cat([self.up3_2(z), e2], dim=1))
        h = run(self.decoder_level_2, h, 1)
        h = self.reduce_chan_level1(torch.cat([self.up2_1(h), e1], dim=1))
        h = self.final_layer(run(self.decoder_level_1, h, 1), c[1])
        return F.pixel_shuffle(h, self.patch) if self.patch > 1 else h
