"""Attention that several systems share: spatial, channel-wise by contrast or by mean, and per pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def interpolate_to(small: Tensor, like: Tensor) -> Tensor:
    """Resize (n, c, h', w') bilinearly to the height and width of `like`."""
    return F.interpolate(small, size=like.shape[2:], mode="bilinear", align_corners=False)


def spatial_std(x: Tensor, correction: int = 0) -> Tensor:
    """Return each channel's standard deviation over height and width, (n, c, 1, 1), with divisor h*w - correction."""
    pixels = x.shape[2] * x.shape[3]
    squares = (x - x.mean((2, 3), keepdim=True)).square().sum((2, 3), keepdim=True)
    # The root's gradient is infinite at zero, where a flat patch would take the training with it.
    return (squares / (pixels - correction)).clamp_min(1e-12).sqrt()


def channel_gate(num_feat: int, squeezed: int) -> nn.Sequential:
    """Return the bottleneck that turns channel statistics (n, num_feat, 1, 1) into weights in (0, 1), same shape."""
    return nn.Sequential(nn.Conv2d(num_feat, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, num_feat, 1), nn.Sigmoid())


class SpatialAttention(nn.Module):
    """Enhanced spatial attention (ESA): each pixel and channel times a weight in (0, 1) from a wide, coarse view.

    Sides below 15 leave nothing to pool: PyTorch's RuntimeError.

    Source: Liu, Zhang, Tang, Tang, Wu, "Residual Feature Aggregation Network", CVPR 2020, as the challenge entries
    simplified it.

    Args:
        num_feat: Channels that are weighed.
        squeezed: Channels of the coarse view.
        deep: Whether it is the form of RFDN and EFDN, three convolutions behind the pool; otherwise RLFN's, with one
            and no activation.
    """

    def __init__(self, num_feat: int, squeezed: int, *, deep: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, squeezed, 1)
        self.conv_f = nn.Conv2d(squeezed, squeezed, 1)
        self.conv2 = nn.Conv2d(squeezed, squeezed, 3, stride=2)
        if deep:
            self.conv_max = nn.Conv2d(squeezed, squeezed, 3, padding=1)
            self.conv3 = nn.Conv2d(squeezed, squeezed, 3, padding=1)
            self.conv3_ = nn.Conv2d(squeezed, squeezed, 3, padding=1)
            self.relu = nn.ReLU()
        else:
            self.conv3 = nn.Conv2d(squeezed, squeezed, 3, padding=1)
        self.conv4 = nn.Conv2d(squeezed, num_feat, 1)
        self.deep = deep

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w), h and w at least 15."""
        narrow = self.conv1(x)
        coarse = F.max_pool2d(self.conv2(narrow), kernel_size=7, stride=3)
        if self.deep:
            coarse = self.conv3_(self.relu(self.conv3(self.relu(self.conv_max(coarse)))))
        else:
            coarse = self.conv3(coarse)
        weights = self.conv4(interpolate_to(coarse, x) + self.conv_f(narrow))
        return x * torch.sigmoid(weights)


class ContrastAttention(nn.Module):
    """Contrast-aware channel attention: each channel times a weight from its mean plus its standard deviation.

    Source: Hui, Gao, Yang, Wang, "Lightweight Image Super-Resolution with Information Multi-distillation Network",
    ACM Multimedia 2019.
    """

    def __init__(self, num_feat: int, squeezed: int) -> None:
        super().__init__()
        self.gate = channel_gate(num_feat, squeezed)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        out: Tensor = x * self.gate(spatial_std(x) + x.mean((2, 3), keepdim=True))
        return out


class MeanStdGate(nn.Module):
    """LatticeNet's combination coefficient: one weight in (0, 1) per channel, from its mean and from its deviation.

    Source: Luo, Xie, Zhang, Qu, Li, Fu, "LatticeNet", ECCV 2020.
    """

    def __init__(self, num_feat: int, squeezed: int) -> None:
        super().__init__()
        self.mean_gate = channel_gate(num_feat, squeezed)
        self.std_gate = channel_gate(num_feat, squeezed)

    def forward(self, x: Tensor) -> Tensor:
        """Return the coefficients (n, num_feat, 1, 1) of (n, num_feat, h, w), which must have over one pixel."""
        coefficients: Tensor = self.mean_gate(x.mean((2, 3), keepdim=True)) + self.std_gate(spatial_std(x, 1))
        return coefficients / 2


class PixelAttention(nn.Module):
    """Pixel attention: each value times a weight in (0, 1) that a 1x1 convolution gives for it.

    Source: Zhao, Kong, He, Qiao, Dong, "Efficient Image Super-Resolution Using Pixel Attention", ECCV Workshops 2020.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_feat, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        return x * torch.sigmoid(self.conv(x))
