"""DnCNN (arXiv 1608.03981) and NAFNet (arXiv 2204.04676), plain PyTorch under the published parameter names."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class DnCNN(nn.Module):
    def __init__(self, depth, width, epsilon, momentum):
        super().__init__()
        layers = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            norm = nn.BatchNorm2d(width, eps=epsilon, momentum=momentum)
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), norm, nn.ReLU()]
        layers.append(nn.Conv2d(width, 1, 3, padding=1, bias=False))
        self.dncnn = nn.Sequential(*layers)

    def forward(self, x):
        return x - self.dncnn(x)

    def fold(self):
        """Every normalisation becomes part of the convolution before it."""
        layers = []
        for layer in self.dncnn:
            if isinstance(layer, nn.BatchNorm2d):
                layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
            else:
                layers.append(layer)
        self.dncnn = nn.Sequential(*layers)


class ChannelNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        y = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return y.permute(0, 3, 1, 2)


def simple_gate(x):
    a, b = x.chunk(2, dim=1)
    return a * b


class NAFBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        wide = 2 * channels
        self.norm1 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, wide, 1)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.norm2 = ChannelNorm(channels)
        self.conv4 = nn.Conv2d(channels, wide, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        h = simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(h * self.sca(h)) * self.beta
        return x + self.conv5(simple_gate(self.conv4(self.norm2(x)))) * self.gamma


class NAFNet(nn.Module):
    def __init__(self, width, encoderBlocks, middleBlocks, decoderBlocks):
        super().__init__()
        levels = len(encoderBlocks)

        def blocks(count, level):
            return nn.Sequential(*(NAFBlock(width << level) for _ in range(count)))

        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(blocks(n, level) for level, n in enumerate(encoderBlocks))
        self.downs = nn.ModuleList(
            nn.Conv2d(width << level, width << (level + 1), 2, 2) for level in range(levels))
        self.middle_blks = blocks(middleBlocks, levels)
        self.ups = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width << level, width << (level + 1), 1, bias=False), nn.PixelShuffle(2))
            for level in range(levels, 0, -1))
        self.decoders = nn.ModuleList(
            blocks(n, levels - 1 - step) for step, n in enumerate(decoderBlocks))
        self.ending = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        h = self.intro(x)
        skips = []
        for blocks, down in zip(self.encoders, self.downs):
            h = blocks(h)
            skips.append(h)
            h = down(h)
        h = self.middle_blks(h)
        for blocks, up, skip in zip(self.decoders, self.ups, reversed(skips)):
            h = blocks(up(h) + skip)
        return self.ending(h) + x
