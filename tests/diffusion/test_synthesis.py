import torch

from palsykit.diffusion.synthesis import DiffusionSynthesiser
from palsykit.faces.pairing import pair
from palsykit.faces.views import batch, to_pictures


class Ancestral:
    """A few coarse DDPM-like steps that draw noise: enough to see whose generator is used."""

    def sample(self, predict, noise, generators):
        x = noise
        for t in (900, 500, 100):
            fresh = torch.stack([torch.randn(x.shape[1:], generator=g) for g in generators])
            x = x - 0.3 * predict(x, torch.full((len(x),), t)) + 0.05 * fresh
        return x


def test_a_picture_depends_on_its_own_row_and_seed_alone(model_of, faces):
    rows = batch(faces, pair(faces.records, 0)[:6])
    synthesiser = DiffusionSynthesiser(model_of().eval(), Ancestral())
    seeds = [11, 12, 13, 14, 15, 16]
    together = to_pictures(synthesiser.generate(rows, seeds)).astype(int)
    for i in range(6):
        alone = to_pictures(synthesiser.generate(rows.rows(i, i + 1), seeds[i : i + 1])).astype(int)
        assert abs(alone[0] - together[i]).max() <= 1
    other = to_pictures(synthesiser.generate(rows, [99, *seeds[1:]])).astype(int)
    assert abs(other[0] - together[0]).max() > 1
    assert abs(other[1:] - together[1:]).max() <= 1


def test_guidance_moves_away_from_the_null_conditions(model_of, faces):
    rows = batch(faces, pair(faces.records, 0)[:2])
    model = model_of(drop=0.2).eval()
    plain, none, double = (DiffusionSynthesiser(model, Ancestral(), guidance=g) for g in (1.0, 0.0, 2.0))
    one, zero, two = (s.generate(rows, [1, 2]) for s in (plain, none, double))
    assert not torch.allclose(one, zero)
    assert not torch.allclose(one, two)
