"""The recipe of networks whose paper's is unknown, or says nothing of three colours at four times the size."""

from baselines.stages import Stage

# By which ETDS's authors trained ESPCN, FSRCNN, ABPN and ECBSR beside their own (Chao et al., CVPR 2023): 1.6 million
# steps at one rate.
YARDSTICK = (Stage(1.0, {"schedule": "constant", "batch": 32, "patch": 64, "ema_decay": 0.999}),)
