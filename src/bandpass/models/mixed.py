"""Several JEPAs around one trunk: a front for each modality, transformer blocks for all."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from bandpass.models.jepa import JEPA
from bandpass.models.targets import EMATeacher


class MixedJEPA(nn.Module):
    """One JEPA for each modality, with the transformer blocks of the first.

    A member embeds its own patches, has its own positions, mask token and readouts, and is a JEPA
    like any other. The blocks of all encoders are the same parameters, those of the predictors
    too, and so are the slow copies that the teachers have of them: a step moves the blocks by the
    gradient of the member it is of, and that member's teacher moves the slow copies, once.

    A parameter that is shared stands in ``state_dict`` once, under the first member.

    Args:
        members: By the number of the part of the corpus; their blocks must be of one size.

    Raises:
        ValueError: If blocks differ, or only some have a teacher.
    """

    def __init__(self, members: Sequence[JEPA]) -> None:
        super().__init__()
        self.by_part = nn.ModuleList(members)
        first, *others = members
        for number, other in enumerate(others, start=1):
            _share(first, other, number)
        seen: dict[int, str] = {}
        self._aliases = {
            name: seen[id(weight)]
            for name, weight in self.named_parameters(remove_duplicate=False)
            if seen.setdefault(id(weight), name) != name
        }
        self.register_state_dict_post_hook(_leave_out)
        self.register_load_state_dict_pre_hook(_put_back)

    @property
    def members(self) -> tuple[JEPA, ...]:
        """The JEPA of each part."""
        return tuple(cast(JEPA, member) for member in self.by_part)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


AnyJEPA = JEPA | MixedJEPA
"""What is trained: ``members[batch.part]`` is the JEPA for a batch."""


def _trunks(jepa: JEPA) -> list[Any]:
    """What has blocks to share."""
    slow = [jepa.target.encoder] if isinstance(jepa.target, EMATeacher) else []
    return [jepa.encoder, jepa.predictor, *slow]


def _sizes(jepa: JEPA) -> list[tuple[int, int, int, int]]:
    """What blocks are made of. Heads are no parameters: shapes of weights do not tell them."""
    parts = (jepa.settings.encoder, jepa.settings.predictor)
    return [(each.dim, each.depth, each.mlp, each.heads) for each in parts]


def _share(first: JEPA, other: JEPA, number: int) -> None:
    """Give ``other`` the blocks of ``first``."""
    ours, theirs = _trunks(first), _trunks(other)
    if _sizes(first) != _sizes(other) or len(ours) != len(theirs):
        raise ValueError(
            f"member {number} cannot share the blocks of the first: dim, depth, mlp and heads of "
            "encoder and predictor must be the same, and the targets all with a teacher or none"
        )
    for mine, its in zip(ours, theirs, strict=True):
        its.blocks = mine.blocks


def _leave_out(mixed: Any, state: dict[str, Any], prefix: str, about: Any) -> None:
    """Name every shared parameter once: a file of weights takes none twice."""
    for alias in mixed._aliases:
        del state[prefix + alias]


def _put_back(mixed: Any, state: dict[str, Any], prefix: str, *others: Any) -> None:
    """Name every shared parameter under each member again."""
    for alias, name in mixed._aliases.items():
        if prefix + name in state:
            state[prefix + alias] = state[prefix + name]
