"""Cases of modules that change shapes: flatten, fold, shuffle and upsampling."""

from functools import partial

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase

SIGNAL = (floats(SAMPLES, 3, 11),)
IMAGE = (floats(SAMPLES, 3, 4, 6),)
VOLUME = (floats(SAMPLES, 3, 2, 4, 3),)
COLUMNS = (floats(SAMPLES, 12, 6),)

CASES = (
    ModuleCase("Flatten", nn.Flatten, IMAGE),
    ModuleCase("Flatten-dims", partial(nn.Flatten, 1, 2), IMAGE),
    ModuleCase("Flatten-all", partial(nn.Flatten, 0), IMAGE),
    ModuleCase("Unflatten", partial(nn.Unflatten, 1, (2, 3)), (floats(SAMPLES, 6),)),
    ModuleCase("Unflatten-inferred", partial(nn.Unflatten, 1, (-1, 2)), (floats(SAMPLES, 6, 5),)),
    ModuleCase("Fold", partial(nn.Fold, (3, 4), 2), COLUMNS),
    ModuleCase("Fold-stride", partial(nn.Fold, (4, 6), 2, stride=2), COLUMNS),
    ModuleCase("Fold-padding", partial(nn.Fold, (2, 1), 2, padding=1), COLUMNS),
    ModuleCase("Fold-dilation", partial(nn.Fold, (4, 5), 2, dilation=2), COLUMNS),
    ModuleCase("Unfold", partial(nn.Unfold, 2), IMAGE),
    ModuleCase("Unfold-stride", partial(nn.Unfold, (2, 3), stride=(2, 1)), IMAGE),
    ModuleCase("Unfold-padding", partial(nn.Unfold, 2, padding=1), IMAGE),
    ModuleCase("Unfold-dilation", partial(nn.Unfold, 2, dilation=2), IMAGE),
    ModuleCase("PixelShuffle", partial(nn.PixelShuffle, 2), (floats(SAMPLES, 12, 2, 3),)),
    ModuleCase("PixelUnshuffle", partial(nn.PixelUnshuffle, 2), IMAGE),
    ModuleCase("ChannelShuffle", partial(nn.ChannelShuffle, 3), (floats(SAMPLES, 6, 2, 5),)),
    ModuleCase("Upsample-nearest", partial(nn.Upsample, scale_factor=2), SIGNAL),
    ModuleCase("Upsample-exact", partial(nn.Upsample, (5, 11), mode="nearest-exact"), IMAGE),
    ModuleCase("Upsample-linear", partial(nn.Upsample, scale_factor=1.5, mode="linear"), SIGNAL),
    ModuleCase("Upsample-bilinear", partial(nn.Upsample, scale_factor=(2, 1.5), mode="bilinear"), IMAGE),
    ModuleCase("Upsample-bicubic", partial(nn.Upsample, scale_factor=2, mode="bicubic"), IMAGE),
    ModuleCase("Upsample-trilinear", partial(nn.Upsample, scale_factor=2, mode="trilinear"), VOLUME),
    ModuleCase("Upsample-bilinear-aligned", partial(nn.Upsample, (5, 11), mode="bilinear", align_corners=True), IMAGE),
    ModuleCase("Upsample-trilinear-aligned", partial(nn.Upsample, 5, mode="trilinear", align_corners=True), VOLUME),
    ModuleCase(
        "Upsample-recomputed",
        partial(nn.Upsample, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True),
        IMAGE,
    ),
    ModuleCase("UpsamplingNearest2d", partial(nn.UpsamplingNearest2d, scale_factor=2), IMAGE),
    ModuleCase("UpsamplingBilinear2d", partial(nn.UpsamplingBilinear2d, scale_factor=2), IMAGE),
)
