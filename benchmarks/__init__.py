"""Speed, as ratios: every figure stands beside its floor or peer, measured in the same run on the same machine."""
