"""The Inception-v3 that the FID is defined by (arXiv 1512.00567), with the parameter names of pytorch-fid.

Differs from torchvision's: mean pools count only samples inside the image, the last block pools by maximum.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Unit(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))

    def fold(self):
        self.conv, self.bn = fuse_conv_bn_eval(self.conv, self.bn), nn.Identity()


WIDE, TALL = dict(kernel=(1, 7), padding=(0, 3)), dict(kernel=(7, 1), padding=(3, 0))


def mean_pool(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class Branches(nn.Module):
    """Units by name; subclasses say how they are joined."""

    def __init__(self, **units):
        super().__init__()
        for name, unit in units.items():
            setattr(self, name, unit)

    def chain(self, x, *names):
        for name in names:
            x = getattr(self, name)(x)
        return x


class Mixed5(Branches):
    def __init__(self, inputs, pool):
        super().__init__(
            branch1x1=Unit(inputs, 64), branch5x5_1=Unit(inputs, 48), branch5x5_2=Unit(48, 64, 5, 1, 2),
            branch3x3dbl_1=Unit(inputs, 64), branch3x3dbl_2=Unit(64, 96, 3, 1, 1),
            branch3x3dbl_3=Unit(96, 96, 3, 1, 1), branch_pool=Unit(inputs, pool))

    def forward(self, x):
        return torch.cat([
            self.branch1x1(x), self.chain(x, "branch5x5_1", "branch5x5_2"),
            self.chain(x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            self.branch_pool(mean_pool(x))], dim=1)


class Mixed6a(Branches):
    def __init__(self):
        super().__init__(
            branch3x3=Unit(288, 384, 3, 2), branch3x3dbl_1=Unit(288, 64),
            branch3x3dbl_2=Unit(64, 96, 3, 1, 1), branch3x3dbl_3=Unit(96, 96, 3, 2))

    def forward(self, x):
        return torch.cat([
            self.branch3x3(x), self.chain(x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            F.max_pool2d(x, 3, 2)], dim=1)


class Mixed6(Branches):
    def __init__(self, c):
        super().__init__(
            branch1x1=Unit(768, 192), branch7x7_1=Unit(768, c), branch7x7_2=Unit(c, c, **WIDE),
            branch7x7_3=Unit(c, 192, **TALL), branch7x7dbl_1=Unit(768, c), branch7x7dbl_2=Unit(c, c, **TALL),
            branch7x7dbl_3=Unit(c, c, **WIDE), branch7x7dbl_4=Unit(c, c, **TALL),
            branch7x7dbl_5=Unit(c, 192, **WIDE), branch_pool=Unit(768, 192))

    def forward(self, x):
        return torch.cat([
            self.branch1x1(x), self.chain(x, "branch7x7_1", "branch7x7_2", "branch7x7_3"),
            self.chain(x, *(f"branch7x7dbl_{i}" for i in range(1, 6))), self.branch_pool(mean_pool(x))],
            dim=1)


class Mixed7a(Branches):
    def __init__(self):
        super().__init__(
            branch3x3_1=Unit(768, 192), branch3x3_2=Unit(192, 320, 3, 2), branch7x7x3_1=Unit(768, 192),
            branch7x7x3_2=Unit(192, 192, **WIDE), branch7x7x3_3=Unit(192, 192, **TALL),
            branch7x7x3_4=Unit(192, 192, 3, 2))

    def forward(self, x):
        return torch.cat([
            self.chain(x, "branch3x3_1", "branch3x3_2"),
            self.chain(x, *(f"branch7x7x3_{i}" for i in range(1, 5))), F.max_pool2d(x, 3, 2)], dim=1)


class Mixed7(Branches):
    def __init__(self, inputs, pool):
        wide, tall = dict(kernel=(1, 3), padding=(0, 1)), dict(kernel=(3, 1), padding=(1, 0))
        super().__init__(
            branch1x1=Unit(inputs, 320), branch3x3_1=Unit(inputs, 384), branch3x3_2a=Unit(384, 384, **wide),
            branch3x3_2b=Unit(384, 384, **tall), branch3x3dbl_1=Unit(inputs, 448),
            branch3x3dbl_2=Unit(448, 384, 3, 1, 1), branch3x3dbl_3a=Unit(384, 384, **wide),
            branch3x3dbl_3b=Unit(384, 384, **tall), branch_pool=Unit(inputs, 192))
        self.pool = pool

    def forward(self, x):
        three = self.branch3x3_1(x)
        double = self.chain(x, "branch3x3dbl_1", "branch3x3dbl_2")
        return torch.cat([
            self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(self.pool(x))],
            dim=1)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1 = Unit(64, 80)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = Mixed5(192, 32), Mixed5(256, 64), Mixed5(288, 64)
        self.Mixed_6a = Mixed6a()
        self.Mixed_6b, self.Mixed_6c = Mixed6(128), Mixed6(160)
        self.Mixed_6d, self.Mixed_6e = Mixed6(160), Mixed6(192)
        self.Mixed_7a = Mixed7a()
        self.Mixed_7b = Mixed7(1280, mean_pool)
        self.Mixed_7c = Mixed7(2048, lambda x: F.max_pool2d(x, 3, 1, 1))
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x):
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean(dim=(2, 3))

    def fold(self):
        for module in list(self.modules()):
            if isinstance(module, Unit):
                module.fold()
